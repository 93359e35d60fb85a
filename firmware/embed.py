# SPDX-License-Identifier: MIT
"""Writes a flat firmware image as a C++ source: embed.py IMAGE OUTPUT HEADER NAME"""

import sys


def main() -> int:
    image_path, output_path, header, name = sys.argv[1:]
    with open(image_path, "rb") as image_file:
        image = image_file.read()
    lines = [", ".join(str(byte) for byte in image[at : at + 32]) for at in range(0, len(image), 32)]
    with open(output_path, "w", encoding="ascii") as output:
        output.write(f'#include "{header}"\n\n')
        output.write("namespace pagoda {\nnamespace {\n")
        output.write("alignas(8) constexpr unsigned char kImage[] = {\n" + ",\n".join(lines) + "};\n")
        output.write("}  // namespace\n")
        output.write(f"const std::span<const std::byte> {name} = std::as_bytes(std::span(kImage));\n")
        output.write("}  // namespace pagoda\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
