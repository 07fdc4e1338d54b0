import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** What it takes for a file to be there after a power cut: its bytes, then the entry in its folder. */

/** Writes and brings to the disk. `flag` says what may be there before: `wx` nothing, `w` anything. */
export async function writeDurably(path: string, bytes: Uint8Array, flag: 'w' | 'wx'): Promise<void> {
  const file = await open(path, flag, 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A rename or a removal is durable once the folder's own entries are. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // Folders cannot be opened there; NTFS journals renames.
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Whether a system call failed with one of these codes. */
export const isCode = (thrown: unknown, ...codes: readonly string[]): boolean =>
  thrown instanceof Error && 'code' in thrown && codes.includes(String(thrown.code))

/** The disk, or this user's share of it. */
export const FULL = ['ENOSPC', 'EDQUOT'] as const
