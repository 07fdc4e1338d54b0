import { readFile, truncate, writeFile } from 'node:fs/promises'

/** Changes one bit in the middle of a file, or cuts the file there. */
export async function damageFile(path: string, how: 'flip' | 'cut'): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  if (how === 'cut') return truncate(path, middle)
  bytes[middle] = (bytes[middle] ?? 0) ^ 0x40
  await writeFile(path, bytes)
}
