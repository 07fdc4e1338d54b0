import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loaded, matches, problemsOf } from '../../tests/kit/config.ts'
import { byteLevelFile } from '../../tests/kit/tokenizer.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { isPublished } from '../drivers/tiktoken/tokenizer.ts'
import { readTokenizerCatalogue } from '../meter/tokenizer/catalogue.ts'
import { namesTokenizers, tokenizerLoader } from './tokenizers.ts'

const path = join(import.meta.dirname, '../../catalogue/tokenizers.json')
const FILE = JSON.stringify(await byteLevelFile(600))
const files: { readonly [path: string]: string } = { '/house/qwen/tokenizer.json': FILE, '/house/broken.json': '{' }

const load = tokenizerLoader({
  path,
  readFile: async (name) => {
    if (name === path) return readFile(name)
    const found = files[name]
    if (found === undefined) throw new Error('there is no such file')
    return new TextEncoder().encode(found)
  },
  onTrouble: (reason) => assert.fail(reason),
})

const yaml = (deployment: string): string =>
  `engines: { e: { kind: openai, url: http://h/v1 } }\nmodels: { m: { deployments: [{ engine: e, ${deployment} }] } }`

async function resolved(deployment: string, provider?: string) {
  const config = await loaded(yaml(deployment))
  const of = await load(config)
  if (of instanceof Refusal) return of
  const one = config.config.models['m']?.deployments[0]
  assert(one !== undefined)
  return of(one, provider)
}

async function tokenizerOf(deployment: string, provider?: string) {
  const found = await resolved(deployment, provider)
  assert(!(found instanceof Refusal) && found !== undefined)
  return found
}

test('a model that its provider documents has its encoding, others are counted by bytes', async () => {
  const known = await tokenizerOf('model: gpt-4o-2024-08-06', 'openai')
  assert.deepEqual([known.name, known.templateTokensMax, known.imageTokensMax], ['o200k_base', 64, 48_169])
  assert.equal((await tokenizerOf('model: gpt-4-0613', 'openai')).name, 'cl100k_base')
  assert.equal((await tokenizerOf('model: openai/gpt-oss-20b', 'groq')).name, 'o200k_harmony')
  assert.equal(await resolved('model: gpt-4o', undefined), undefined)
  assert.equal(await resolved('model: gpt-99', 'openai'), undefined)
})

test('what the configuration says wins', async () => {
  const named = await tokenizerOf('model: gpt-4o, tokenizer: cl100k_base, templateTokensMax: 9', 'openai')
  assert.deepEqual([named.name, named.templateTokensMax, named.imageTokensMax], ['cl100k_base', 9, 48_169])
  const bytes = await tokenizerOf('model: gpt-4o, tokenizer: bytes, imageTokensMax: 1500', 'openai')
  assert.deepEqual([bytes.name, bytes.countMax('four'), bytes.imageTokensMax], ['bytes', 4, 1_500])
})

test('a file stands relative to the configuration, and is read once', async () => {
  const tokenizer = await tokenizerOf('model: qwen, tokenizer: qwen/tokenizer.json')
  assert.equal(tokenizer.name, '/house/qwen/tokenizer.json')
  assert(tokenizer.countMax('and then there is the end of the line, and the other') < 52)
})

test('a file that is broken or not there is refused where it is named', async () => {
  for (const [name, wrong] of [
    [
      'broken.json',
      /models\.m\.deployments\[0\]\.tokenizer = "\/house\/broken\.json" names a file that is not valid JSON/,
    ],
    ['gone.json', /tokenizer = "\/house\/gone\.json" names a file that cannot be read: there is no such file/],
  ] as const) {
    const refused = await resolved(`model: x, tokenizer: ${name}`)
    assert(refused instanceof Refusal && refused.code === 'config_invalid')
    assert.match(sentenceOf(refused), wrong)
  }
})

test('only a configuration that names a file has it read at once', async () => {
  assert.equal(namesTokenizers(await loaded(yaml('model: m'))), false)
  assert.equal(namesTokenizers(await loaded(yaml('model: m, tokenizer: o200k_base'))), false)
  assert.equal(namesTokenizers(await loaded(yaml('model: m, tokenizer: ./a.json'))), true)
})

test('what is neither an encoding nor a file is refused, and figures have their limits', async () => {
  const problem = (deployment: string) => problemsOf(yaml(deployment))
  matches(
    await problem('model: m, tokenizer: o200k'),
    /tokenizer = "o200k" is no encoding and no path of a tokenizer\.json \| Write one of o200k_base, .*bytes, or a path/,
  )
  matches(await problem('model: m, tokenizer: 5'), /tokenizer = 5 is not /)
  matches(await problem('model: m, templateTokensMax: 0'), /templateTokensMax = 0 is below 1/)
  matches(await problem('model: m, imageTokensMax: 2000000'), /imageTokensMax = 2000000 is above 1000000/)
})

test('the shipped catalogue names encodings that are read', async () => {
  const file = JSON.parse(await readFile(path, 'utf8')) as {
    readonly sources: object
    readonly tokenizers: readonly { readonly encoding: string; readonly source: string }[]
  }
  readTokenizerCatalogue(file as never)
  for (const { encoding, source } of file.tokenizers) {
    assert(isPublished(encoding), encoding)
    assert(Object.hasOwn(file.sources, source), source)
  }
  assert.throws(() => readTokenizerCatalogue({ tokenizers: [{ encoding: '', providers: [], models: [] }] }))
  assert.throws(() => readTokenizerCatalogue({}))
})
