import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fault, reasonOf, Refusal, refuse } from '../../base/errors.ts'
import type { Fetcher } from '../../base/fetcher.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Item, OpenSource } from '../../retrieval/sources.ts'
import { Blobs, git, GitError } from './program.ts'

type GitConfig = Extract<SourceConfig, { readonly kind: 'git' }>

export interface GitOptions {
  /** Where copies of remote repositories are kept. */
  readonly folder: string
  readonly fetcher: Pick<Fetcher, 'check'>
  /** Of one file. */
  readonly bytesMax: number
}

/** The files that a commit tracks, read from the repository's objects: nothing is checked out, so
 *  neither hooks nor filters run. The commit is each document's revision, the file's object id tells
 *  whether it changed. Submodules and links are left alone. */
export async function openGit(
  config: GitConfig,
  options: GitOptions,
  signal: AbortSignal,
): Promise<OpenSource | Refusal> {
  const { repository, branch = 'HEAD' } = config
  const isRemote = repository.includes('://')
  try {
    const folder = isRemote ? await fetched(config, options, signal) : repository
    if (folder instanceof Refusal) return folder
    const wanted = isRemote ? 'FETCH_HEAD' : branch
    const commit = (
      await git(folder, ['rev-parse', '--verify', '--end-of-options', `${wanted}^{commit}`], { signal })
    ).trim()
    return new GitSource(config, folder, commit, options.bytesMax)
  } catch (thrown) {
    if (signal.aborted) throw fault('stopping', {})
    if (!(thrown instanceof GitError)) throw thrown
    // What only the network can have spoiled may go better next time.
    const isPassing =
      isRemote && /could not resolve|timed out|connection|unable to access|early EOF/i.test(thrown.message)
    if (isPassing) throw fault('source_unavailable', { source: repository, reason: reasonOf(thrown) }, thrown)
    return refuse('source_unreadable', { source: repository, reason: reasonOf(thrown) })
  }
}

/** A copy of the one commit that is wanted, without a working tree. */
async function fetched(
  { repository, branch = 'HEAD' }: GitConfig,
  { folder, fetcher }: GitOptions,
  signal: AbortSignal,
): Promise<string | Refusal> {
  const url = URL.parse(repository)
  const refusal = url === null ? undefined : await fetcher.check(url.hostname)
  if (refusal !== undefined) return refusal
  const copy = join(folder, createHash('sha256').update(repository).digest('hex').slice(0, 32))
  await mkdir(copy, { recursive: true, mode: 0o700 })
  await git(copy, ['init', '--bare', '--quiet', '--template='], { signal })
  await git(
    copy,
    [
      'fetch',
      '--quiet',
      '--force',
      '--depth=1',
      '--no-tags',
      '--no-recurse-submodules',
      '--no-auto-maintenance',
      '--',
      repository,
      branch,
    ],
    { signal, isRemote: true },
  )
  return copy
}

const OBJECT = /^(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)\t/

class GitSource implements OpenSource {
  readonly locator: string
  readonly base: string
  readonly #config: GitConfig
  readonly #folder: string
  readonly #commit: string
  readonly #blobs: Blobs

  constructor(config: GitConfig, folder: string, commit: string, bytesMax: number) {
    const { repository, branch, folder: within } = config
    this.locator = `git:${repository}${branch === undefined ? '' : `#${branch}`}${within === undefined ? '' : `:${within}`}`
    this.base = repository.replace(/(?:\/?\.git)?\/*$/, '').replace(/^.*[/:]/, '')
    this.#config = config
    this.#folder = folder
    this.#commit = commit
    this.#blobs = new Blobs(folder, bytesMax)
  }

  async *list(signal: AbortSignal): AsyncGenerator<Item> {
    const { folder } = this.#config
    const within = folder === undefined ? [] : ['--', `${folder.replace(/^\/+|\/+$/g, '')}/`]
    let listed: string
    try {
      listed = await git(this.#folder, ['ls-tree', '-r', '-z', '-l', '--full-tree', this.#commit, ...within], {
        signal,
      })
    } catch (thrown) {
      throw signal.aborted
        ? fault('stopping', {})
        : fault('source_unavailable', { source: this.locator, reason: reasonOf(thrown) }, thrown)
    }
    for (const line of listed.split('\0')) {
      const [head, mode, type, id = ''] = OBJECT.exec(line) ?? []
      if (head === undefined) continue
      const path = line.slice(head.length)
      // 120000 is a link, `commit` a submodule; hidden files are left out as in folders.
      if (type !== 'blob' || mode === '120000' || path.split('/').some((part) => part.startsWith('.'))) continue
      yield {
        kind: 'document',
        uri: path
          .split('/')
          .map((part) => encodeURIComponent(part.toWellFormed()))
          .join('/'),
        name: path.slice(path.lastIndexOf('/') + 1),
        revision: this.#commit,
        hint: id,
        read: async () => {
          const bytes = await this.#blobs.read(id)
          return bytes instanceof Refusal ? bytes : { bytes }
        },
      }
    }
  }

  close(): Promise<void> {
    return this.#blobs.close()
  }
}
