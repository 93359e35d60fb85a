#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fetches Debian packages of the guest's architecture and unpacks them into a folder. Needs no root.

A private apt configuration below --work is derived from the machine's own: its Debian archive lines (.sources and .list
files), with the suite replaced by the guest's and the architecture set. Proxies and mirrors of the machine keep working,
and the machine's own package lists stay untouched. A mirror that is in the middle of copying a release is asked again, then for
the next release. Once --out holds what was asked for, neither apt nor network is used.
"""
import argparse
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

# The guest's release; the one after it where a mirror has the first one's lists only in part, as it is while it copies
# them.
SUITES = ("trixie", "forky")
TRIES = 3


def fail(message):
    sys.exit("packages: " + message)


def read_os_release(path="/etc/os-release"):
    values = {}
    try:
        with open(path) as f:
            for line in f:
                key, _, value = line.strip().partition("=")
                values[key] = value.strip('"')
    except OSError:
        pass
    return values


def stanzas_of_deb822(text):
    """Yields {lower-case field: value}; continuation lines (an embedded key) keep their line breaks."""
    stanza, last = {}, None
    for line in text.splitlines() + [""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, last = {}, None
        elif line[0] in " \t" and last:
            stanza[last] += "\n" + line
        else:
            key, _, value = line.partition(":")
            last = key.strip().lower()
            stanza[last] = value.strip()


def stanza_of_line(line):
    """The same for one line of a .list file, or None."""
    match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.split("#")[0].strip())
    if not match:
        return None
    options, uri, suite, components = match.groups()
    stanza = {"types": "deb", "uris": uri, "suites": suite, "components": components}
    for option in (options or "").split():
        key, _, value = option.partition("=")
        if key.lower() in ("signed-by", "trusted"):
            stanza[key.lower()] = value.replace(",", " ")
    return stanza


def debian_archives(etc="/etc/apt", codename=None):
    """The machine's stanzas that are Debian's main archive: the suite carries the release's own name."""
    codename = codename or read_os_release().get("VERSION_CODENAME", "")
    found = []
    for path in [etc + "/sources.list"] + sorted(glob.glob(etc + "/sources.list.d/*")):
        try:
            with open(path) as f:
                text = f.read()
        except (OSError, UnicodeDecodeError):
            continue
        if path.endswith(".sources"):
            entries = list(stanzas_of_deb822(text))
        elif path.endswith(".list"):
            entries = [s for s in map(stanza_of_line, text.splitlines()) if s]
        else:
            continue
        for s in entries:
            if (s.get("enabled", "yes").lower() not in ("no", "false", "0") and "deb" in s.get("types", "").split()
                    and {codename, "stable"} & set(s.get("suites", "").split())
                    and "main" in s.get("components", "").split() and not s.get("uris", "").startswith("cdrom")):
                found.append(s)
    return found


class Apt:
    """apt with its own lists, cache and (empty) status below `work`."""

    def __init__(self, work, arch, suite):
        self.dir = os.path.join(os.path.abspath(work), "apt-" + arch)
        self.archives = os.path.join(self.dir, "cache/archives")
        self.config = os.path.join(self.dir, "apt.conf")
        self.arch = arch
        found = debian_archives()
        if not found:
            fail("no Debian archive line found in /etc/apt (this needs a Debian 12 or 13 machine)")
        for d in ("sources", "state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        open(os.path.join(self.dir, "status"), "w").close()
        with open(os.path.join(self.dir, "sources/guest.sources"), "w") as f:
            for s in found:
                f.write("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\n" % (s["uris"], suite, arch))
                for field in ("signed-by", "trusted"):
                    if field in s:
                        f.write("%s: %s\n" % (field.title(), s[field]))
                f.write("\n")
        with open(self.config, "w") as f:
            f.write('APT::Architecture "{a}";\nAPT::Architectures {{ "{a}"; }};\n'
                    'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{d}/sources";\n'
                    'Dir::Etc::Preferences "/dev/null";\nDir::Etc::PreferencesParts "{d}/none";\n'
                    'Dir::State "{d}/state";\nDir::State::Status "{d}/status";\nDir::Cache "{d}/cache";\n'
                    'APT::Sandbox::User "";\nAcquire::Languages "none";\nAPT::Install-Recommends "false";\n'
                    'APT::Install-Suggests "false";\n'.format(a=arch, d=self.dir))

    def update(self):
        """Fetches the lists. None, or what is wrong."""
        error = None
        for number in range(TRIES):
            if number != 0:
                time.sleep(5)
            error = self.attempt("apt-get", "update")[1]
            if error is None:
                return None
        return error

    def run(self, *command, cwd=None):
        output, error = self.attempt(*command, cwd=cwd)
        if error is not None:
            fail(error)
        return output

    def attempt(self, *command, cwd=None):
        """What it prints, and None or what is wrong."""
        env = dict(os.environ, APT_CONFIG=self.config, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
        try:
            done = subprocess.run(command, env=env, cwd=cwd, text=True, stdin=subprocess.DEVNULL, capture_output=True)
        except OSError as e:
            fail("%s: %s" % (command[0], e.strerror))
        if done.returncode != 0:
            errors = [l for l in done.stderr.splitlines() if l.startswith("E:")] or done.stderr.splitlines() or ["no message"]
            return "", "%s: %s" % (" ".join(command[:2]), errors[0])
        return done.stdout, None

    def download(self, name):
        """One package without what it depends on; a package that is only a pointer (linux-image-ARCH) is followed, and a kernel
        that is split over packages is whole."""
        shown = self.run("apt-cache", "show", "--no-all-versions", name)
        pointer = re.search(r"^Depends:.*?\b(" + re.escape(name.rsplit("-", 1)[0]) + r"-[0-9][^ ,(]*)", shown, re.M)
        files = []
        if pointer:
            name = pointer.group(1)
            shown = self.run("apt-cache", "show", "--no-all-versions", name)
            depends = re.search(r"^Depends:.*", shown, re.M)
            for part in re.findall(r"\blinux-(?:base|binary|modules)-[0-9][^ ,(]*", depends.group(0) if depends else ""):
                files += self.download(part)
        # What an interrupted or older run left behind would be unpacked too.
        for old in glob.glob("%s/%s_*.deb" % (self.archives, glob.escape(name))):
            os.remove(old)
        self.run("apt-get", "download", name, cwd=self.archives)
        return files + glob.glob("%s/%s_*.deb" % (self.archives, glob.escape(name)))

    def download_closure(self, names):
        """Packages with all they depend on."""
        listed = self.run("apt-get", "-y", "--print-uris", "install", *names)
        files = re.findall(r"^'[^']+' (\S+\.deb) ", listed, re.M)
        self.run("apt-get", "-y", "--download-only", "install", *names)
        return [os.path.join(self.archives, f) for f in files]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", required=True, help="Debian's name of the guest's architecture")
    parser.add_argument("--work", required=True, help="folder for apt's lists and downloads")
    parser.add_argument("--out", required=True, help="folder the packages are unpacked into")
    parser.add_argument("--closure", action="store_true", help="with everything the packages depend on")
    parser.add_argument("--without", action="append", default=[], help="leave this package of the closure out")
    parser.add_argument("packages", nargs="+")
    args = parser.parse_args()

    stamp = args.out + ".stamp"
    keys = [hashlib.sha256(repr((suite, args.arch, args.closure, args.without, args.packages)).encode()).hexdigest()
            for suite in SUITES]
    if os.path.isdir(args.out) and os.path.exists(stamp):
        with open(stamp) as f:
            if f.read().strip() in keys:
                return
    errors = []
    for suite, key in zip(SUITES, keys):
        apt = Apt(args.work, args.arch, suite)
        errors.append(apt.update())
        if errors[-1] is None:
            break
    else:
        fail(errors[0])
    if len(errors) > 1:
        print("packages: %s; the guest's packages are those of %s" % (errors[0], suite), file=sys.stderr)
    if args.closure:
        files = apt.download_closure(args.packages)
    else:
        files = [f for name in args.packages for f in apt.download(name)]
    files = [f for f in files if os.path.basename(f).split("_")[0] not in args.without]
    part = args.out + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    for f in files:
        if subprocess.run(["dpkg-deb", "--extract", f, part]).returncode != 0:
            fail("cannot unpack " + f)
        os.remove(f)
    shutil.rmtree(args.out, ignore_errors=True)
    os.rename(part, args.out)
    with open(stamp, "w") as f:
        f.write(key + "\n")


if __name__ == "__main__":
    main()
