/** Keys as bytes whose order under memcmp is the code-unit order of their texts. SQLite's own text
 *  is UTF-8: it orders surrogate pairs behind U+FFFF and cannot hold half a pair. Here every code
 *  unit is encoded on its own, as in CESU-8 (Unicode Technical Report 26), in one to three bytes. */

export function keyBytes(text: string): Uint8Array {
  const isAscii = Buffer.byteLength(text) === text.length
  if (isAscii) return Buffer.from(text, 'latin1')
  const bytes = Buffer.allocUnsafe(text.length * 3)
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) {
      bytes[at++] = unit
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      bytes[at++] = 0xe0 | (unit >> 12)
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    }
  }
  return bytes.subarray(0, at)
}

export function keyTextOf(bytes: Uint8Array): string {
  const units: string[] = []
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at++] ?? 0
    if (byte < 0x80) units.push(String.fromCharCode(byte))
    else if (byte < 0xe0) units.push(String.fromCharCode(((byte & 0x1f) << 6) | next()))
    else units.push(String.fromCharCode(((byte & 0x0f) << 12) | (next() << 6) | next()))
    function next(): number {
      return (bytes[at++] ?? 0) & 0x3f
    }
  }
  return units.join('')
}
