import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCollection, type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { Refusal, refuse } from '../../base/errors.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { openGit } from './sources.ts'

const skip = hasGit() ? false : 'the program git is not here'

function hasGit(): boolean {
  try {
    execFileSync('git', ['--version'])
    return true
  } catch {
    return false
  }
}

const BYTES_MAX = 1_000

async function stock() {
  const root = await mkdtemp(join(tmpdir(), 'headworks-git-'))
  const repository = join(root, 'book.git')
  await mkdir(repository)
  const git = (...words: string[]): string =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words], {
      stdio: 'pipe',
    }).toString()
  git('init', '-q')
  git('commit', '-q', '--allow-empty', '-m', 'begin')
  const commit = (): void => {
    git('add', '-A')
    git('commit', '-q', '--no-verify', '-m', 'change')
  }
  const options = {
    folder: join(root, 'copies'),
    fetcher: {
      check: async (host: string) =>
        host === 'public.example'
          ? undefined
          : refuse('source_unreadable', { source: host, reason: 'its address is not public' }),
    },
    bytesMax: BYTES_MAX,
  }
  const spec: SourceConfig = { kind: 'git', repository }
  const stocked: Stock = {
    spec,
    sources: { open: async (what, signal) => openGit(what as never, options, signal) },
    put: async (name, content) => {
      await writeFile(join(repository, name), content)
      commit()
    },
    remove: async (name) => {
      await rm(join(repository, name))
      commit()
    },
    vanish: () => rm(repository, { recursive: true }),
    close: () => rm(root, { recursive: true, force: true }),
  }
  return { ...stocked, repository, git, commit, root }
}

sourceContract('git', stock, { skip })

test('only tracked files of the commit are read: no links, submodules, hidden or ignored files', { skip }, async () => {
  const from = await stock()
  const { repository, git } = from
  await mkdir(join(repository, 'docs/.private'), { recursive: true })
  await writeFile(join(repository, 'docs/.private/a.md'), 'hidden')
  await writeFile(join(repository, 'docs/größe & more.md'), 'A red apple.')
  await writeFile(join(repository, '.gitignore'), 'ignored.md\n')
  await writeFile(join(repository, 'ignored.md'), 'ignored')
  await writeFile(join(repository, 'large.md'), 'x'.repeat(BYTES_MAX + 1))
  await symlink('/etc/hostname', join(repository, 'link.md'))
  git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`)
  from.commit()
  await writeFile(join(repository, 'untracked.md'), 'untracked')
  await writeFile(join(repository, 'docs/größe & more.md'), 'Changed, not committed.')
  const house = openCollection(from.sources)
  const shown = await house.run(from.spec)
  assert.deepEqual(
    house.documents().map(({ uri }) => uri),
    [`book/docs/${encodeURIComponent('größe & more.md')}`],
  )
  assert.equal(house.documents()[0]?.provenance?.revision, git('rev-parse', 'HEAD').trim())
  assert.equal(await house.find('apple'), 1)
  assert.equal(shown.files['skipped'], 1)
  await house.ingest.stop()
  await from.close()
})

test('a branch and a folder can be named', { skip }, async () => {
  const from = await stock()
  await mkdir(join(from.repository, 'docs'))
  await from.put('docs/a.md', 'A red apple.')
  await from.put('b.md', 'A yellow banana.')
  from.git('branch', 'old')
  await from.put('docs/a.md', 'A green apricot.')
  const house = openCollection(from.sources)
  await house.run({ kind: 'git', repository: from.repository, branch: 'old', folder: '/docs/' })
  assert.deepEqual([await house.find('apple'), await house.find('banana')], [1, 0])
  await house.ingest.stop()
  await from.close()
})

test(
  'nothing in a repository runs: not its hooks, not its filters, not what its configuration names',
  { skip },
  async () => {
    const from = await stock()
    const ran = join(from.root, 'ran')
    const script = join(from.root, 'script.sh')
    await writeFile(script, `#!/bin/sh\ntouch ${ran}\ncat\n`)
    await chmod(script, 0o755)
    await writeFile(join(from.repository, '.gitattributes'), '*.md filter=evil diff=evil\n')
    await from.put('a.md', 'A red apple.')
    for (const name of ['filter.evil.smudge', 'diff.evil.textconv', 'core.fsmonitor', 'core.sshCommand', 'core.pager'])
      from.git('config', name, script)
    for (const hook of ['post-checkout', 'reference-transaction', 'pre-auto-gc']) {
      await writeFile(join(from.repository, '.git/hooks', hook), `#!/bin/sh\ntouch ${ran}\n`)
      await chmod(join(from.repository, '.git/hooks', hook), 0o755)
    }
    const house = openCollection(from.sources)
    assert.equal((await house.run(from.spec)).files['read'], 1)
    assert.throws(() => execFileSync('ls', [ran], { stdio: 'pipe' }))
    await house.ingest.stop()
    await from.close()
  },
)

test('what is no repository is refused, and a host that is not public is not called', { skip }, async () => {
  const from = await stock()
  const open = (spec: object) => from.sources.open({ kind: 'git', ...spec } as never, new AbortController().signal)
  for (const spec of [
    { repository: from.root },
    { repository: '/nowhere' },
    { repository: from.repository, branch: 'none' },
    { repository: 'https://127.0.0.1/x.git' },
    { repository: 'file:///etc' },
    { repository: 'ext://public.example/x' },
  ]) {
    const opened = await open(spec)
    assert.ok(opened instanceof Refusal && opened.code === 'source_unreadable', JSON.stringify(spec))
  }
  await from.close()
})
