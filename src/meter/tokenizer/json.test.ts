import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { asTypeScript, asXml, JSON_RENDERINGS, schema, tool } from '../../../tests/kit/tools.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import { PublishedTokenizer } from '../../drivers/tiktoken/tokenizer.ts'
import { jsonMax } from './json.ts'
import { BYTES } from './tokenizer.ts'

const published = new PublishedTokenizer('o200k_base', (reason) => assert.fail(reason))
await published.load()
const tokensOf = (text: string): number => countTokens(text.toWellFormed(), { allowedSpecial: 'all' })

test('bytes: a tool is bounded however it is written', () => {
  fc.assert(
    fc.property(tool, (one) => {
      const bound = jsonMax([one], BYTES)
      for (const text of [...JSON_RENDERINGS.map((render) => render([one])), asXml(one)])
        assert(bound >= Buffer.byteLength(text), `${bound} for ${Buffer.byteLength(text)}: ${text}`)
    }),
    { numRuns: 500 },
  )
})

test('o200k_base: a tool is bounded however it is written', () => {
  fc.assert(
    fc.property(tool, (one) => {
      const bound = jsonMax([one], published)
      const { parameters } = one['function'] as JsonObject
      const texts = [...JSON_RENDERINGS.map((render) => render([one])), asXml(one), asTypeScript(parameters ?? null)]
      for (const text of texts) assert(bound >= tokensOf(text), `${bound} for ${tokensOf(text)}: ${text}`)
    }),
    { numRuns: 500 },
  )
})

test('small values and deep ones have room for their syntax', () => {
  const values: Json[] = [
    null,
    true,
    0,
    1e15,
    -1.7976931348623157e308,
    '',
    '<',
    '\u0007',
    '"""',
    '日本',
    {},
    [],
    [[[]]],
  ]
  let deep: Json = 1
  for (let depth = 0; depth < 40; depth++) deep = { a: deep }
  for (const value of [...values, values, deep])
    for (const render of JSON_RENDERINGS)
      assert(jsonMax(value, BYTES) >= Buffer.byteLength(render(value)), JSON.stringify(value))
})

test('the arguments of a call are bounded as the text they are, and as the JSON in it', () => {
  fc.assert(
    fc.property(schema, (value) => {
      const packed = JSON.stringify(value)
      const bound = jsonMax(packed, BYTES)
      assert(bound >= Buffer.byteLength(JSON.stringify(packed)))
      for (const render of JSON_RENDERINGS) assert(bound >= Buffer.byteLength(render(value)))
    }),
  )
  assert(jsonMax('[1e15,1e15,1e15]', BYTES) >= '[1000000000000000.0, 1000000000000000.0, 1000000000000000.0]'.length)
})

test('a tool described in plain words is bounded near what it has', () => {
  const description = 'Returns the weather of a city as it was read at noon of the day that is asked for. '.repeat(4)
  const one = { type: 'function', function: { name: 'weather', description, parameters: { type: 'object' } } }
  const bound = jsonMax(one, published)
  assert(bound < 3 * tokensOf(JSON.stringify(one)), String(bound))
  assert(bound < (2 * jsonMax(one, BYTES)) / 3)
})
