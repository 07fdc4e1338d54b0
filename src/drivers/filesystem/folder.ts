import { constants, type Dirent, type Stats } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import { holdsNoText } from '../../base/media.ts'
import type { Files, Folders, Found, Source } from '../../retrieval/sources.ts'

/** Source folders on this machine's disk. */
export const folders: Folders = { open: openSource, walk }
export const files: Files = { read }

/** Folders inside folders. */
const DEPTH_MAX = 100

async function openSource(path: string): Promise<Source | Refusal> {
  try {
    const real = await realpath(path)
    const stats = await stat(real)
    if (stats.isDirectory()) return { path: real, kind: 'folder' }
    return stats.isFile() ? { path: real, kind: 'file' } : unreadable(`it is ${kindOf(stats)}, not a file`)
  } catch (error) {
    return unreadable(reason(error), path)
  }
}

async function* walk(source: Source): AsyncGenerator<Found> {
  if (source.kind === 'file') yield { kind: 'file', path: source.path, relative: basename(source.path) }
  else yield* walkFolder(source.path, source.path, 0)
}

async function* walkFolder(root: string, folder: string, depth: number): AsyncGenerator<Found> {
  const within = relative(root, folder)
  let entries: Dirent[]
  try {
    if (depth > DEPTH_MAX) throw new Error(`it lies more than ${DEPTH_MAX} folders deep`)
    entries = await readdir(folder, { withFileTypes: true })
  } catch (error) {
    yield { kind: 'refused', relative: within, refusal: unreadable(reason(error)), hides: true }
    return
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    if (isLeftOut(entry.name)) continue
    const path = join(folder, entry.name)
    const name = relative(root, path)
    if (entry.isDirectory()) yield* walkFolder(root, path, depth + 1)
    else if (entry.isFile())
      yield holdsNoText(entry.name) ? { kind: 'ignored' } : { kind: 'file', path, relative: name }
    else if (entry.isSymbolicLink()) yield* walkLink(root, path, name)
    else
      yield { kind: 'refused', relative: name, refusal: unreadable(`it is ${kindOf(entry)}, not a file`), hides: false }
  }
}

/** A link is followed to a file inside the root that the walk does not meet by itself, as
 *  Kubernetes mounts them. Everything else inside is met anyway, and what is outside is not ours. */
async function* walkLink(root: string, path: string, name: string): AsyncGenerator<Found> {
  try {
    const target = await realpath(path)
    const inside = relative(root, target)
    if (inside === '..' || inside.startsWith(`..${sep}`) || inside === '' || target === inside) {
      if (inside !== '')
        yield {
          kind: 'refused',
          relative: name,
          refusal: unreadable('it is a link that leaves the folder'),
          hides: false,
        }
      return
    }
    if (inside.split(sep).some(isLeftOut) && (await stat(target)).isFile() && !holdsNoText(name))
      yield { kind: 'file', path: target, relative: name }
  } catch (error) {
    yield {
      kind: 'refused',
      relative: name,
      refusal: unreadable(`it is a link to nowhere (${reason(error)})`),
      hides: false,
    }
  }
}

const isLeftOut = (name: string): boolean => name.startsWith('.') || name === 'node_modules' || name === '__pycache__'

async function read(path: string, bytesMax: number): Promise<Uint8Array | Refusal> {
  try {
    // Non-blocking: a pipe that took the file's place must not hold us.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) return unreadable(`it is ${kindOf(stats)}, not a file`)
      if (stats.size > bytesMax) return refuse('document_too_large', { limitBytes: bytesMax, detail: '' })
      const bytes = new Uint8Array(stats.size)
      let at = 0
      while (at < bytes.length) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, at)
        if (bytesRead === 0) break
        at += bytesRead
      }
      return bytes.subarray(0, at)
    } finally {
      await file.close()
    }
  } catch (error) {
    return unreadable(reason(error))
  }
}

function kindOf(entry: Stats | Dirent): string {
  if (entry.isDirectory()) return 'a folder'
  if (entry.isFIFO()) return 'a pipe'
  if (entry.isSocket()) return 'a socket'
  return 'a device'
}

function unreadable(why: string, path?: string): Refusal {
  return refuse('document_unreadable', path === undefined ? { reason: why } : { reason: why, path })
}

function reason(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : '') {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'ENOENT':
      return 'there is no such file or folder'
    case 'ELOOP':
      return 'it is a link'
    case 'ENXIO':
      return 'it is a socket or a pipe, not a file'
    default:
      return reasonOf(error)
  }
}
