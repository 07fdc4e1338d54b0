import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERRORS, Refusal, sentenceOf } from '../src/base/errors.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { loadConfig } from '../src/config/load.ts'
import { generatedPages, stalePages, writePages } from './docs.ts'

const root = join(import.meta.dirname, '..')

test('the generated pages are up to date', async () => {
  assert.deepEqual(await stalePages(root), [], 'run: npm run docs')
})

test('a stale page and a missing one are seen, and written anew', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'docs-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'docs'))
  assert.deepEqual(await writePages(folder), [...generatedPages().keys()])
  assert.deepEqual(await stalePages(folder), [])
  appendFileSync(join(folder, 'docs', 'errors.md'), 'a word too many')
  rmSync(join(folder, 'docs', 'cli.md'))
  assert.deepEqual(await stalePages(folder), ['docs/errors.md', 'docs/cli.md'])
  assert.deepEqual(await writePages(folder), ['docs/errors.md', 'docs/cli.md'])
})

test('--check fails on a stale page, and names it', (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'docs-'))
  t.after(() => rmSync(copy, { recursive: true }))
  for (const part of ['src', 'scripts', 'docs', 'package.json', 'headworks.schema.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  mkdirSync(join(copy, 'docs'), { recursive: true })
  const check = () => spawnSync(process.execPath, [join(copy, 'scripts', 'docs.ts'), '--check'], { encoding: 'utf8' })
  const fresh = check()
  assert.equal(fresh.status, 0, fresh.stderr)
  appendFileSync(join(copy, 'docs', 'configuration.md'), 'planted')
  const stale = check()
  assert.equal(stale.status, 1)
  assert.match(stale.stderr, /stale: docs\/configuration\.md\. Run: npm run docs/)
})

test('every example of the configuration page is a valid configuration', async () => {
  const page = generatedPages().get('docs/configuration.md') ?? ''
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
  assert(examples.length >= 5)
  for (const yaml of examples) {
    const loaded = await loadConfig({
      readFile: async () => new TextEncoder().encode(yaml),
      env: { OPENAI_API_KEY: 'sk-test' },
      cwd: '/house',
      docsFolder: '/house/docs',
    })
    assert(!(loaded instanceof Refusal), loaded instanceof Refusal ? sentenceOf(loaded) : '')
  }
  const bare = await loadConfig({ readFile: async () => undefined, env: {}, cwd: '/house', docsFolder: '/house/docs' })
  const written = await loadConfig({
    readFile: async () => new TextEncoder().encode(examples.at(-1)),
    env: {},
    cwd: '/house',
    docsFolder: '/house/docs',
  })
  assert(!(bare instanceof Refusal) && !(written instanceof Refusal))
  assert.deepEqual(written.config, bare.config)
})

test('the pages name every error, every command and every field', () => {
  const pages = generatedPages()
  for (const code of Object.keys(ERRORS)) assert(pages.get('docs/errors.md')?.includes(`\`${code}\``), code)
  for (const { name } of COMMANDS) assert(pages.get('docs/cli.md')?.includes(`## \`headworks ${name}\``), name)
  for (const field of [
    'engines.<name>.url',
    'models.<name>.deployments[].price.inputUsd',
    'workflows.<name>.topK',
    'limits.bodyBytesMax',
    'log.level',
  ]) {
    assert(pages.get('docs/configuration.md')?.includes(`\`${field}\``), field)
  }
})

test('the schema for editors is one an editor can use', () => {
  const schema = JSON.parse(readFileSync(join(root, 'headworks.schema.json'), 'utf8'))
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
  assert.equal(schema.additionalProperties, false)
  assert.equal(schema.properties.engines.additionalProperties.oneOf.length, 10)
  for (const own of ['"reload"', '"shown"', '"hidden"']) assert(!JSON.stringify(schema).includes(own))
})

test('the answer that the README shows stands in the handbook, word for word', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const shown = /^> (.+)$/m.exec(readme)?.[1] ?? ''
  const sentences = shown.split(/ \[\d+\] ?/).filter((sentence) => sentence !== '')
  const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8')
  assert(sentences.length > 0)
  for (const sentence of sentences) assert(page.includes(sentence), sentence)
})
