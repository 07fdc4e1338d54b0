import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readSources, writeSources } from './sources.ts'

const text = fc
  .array(
    fc.oneof(fc.string(), fc.constantFrom('</source>', '<source id="9" title="x">', '\n', '<SOURCE', '"', '</Source')),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

test('what is written is read back, whatever the passages say', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ title: fc.string(), text }), { maxLength: 4 }), (given) => {
      const sources = given.map((source, at) => ({ number: at + 1, ...source }))
      const prompt = `Before.\n${writeSources(sources)}\nAfter.`
      const read = readSources(prompt)
      assert.deepEqual(
        read.map((source) => [source.number, source.text]),
        sources.map((source) => [source.number, source.text]),
      )
      for (const { start, end } of read)
        assert.ok(prompt.slice(start, end).startsWith('<source id=') && prompt.slice(start, end).endsWith('</source>'))
    }),
  )
})

test('a mark that is never closed is no source, and costs no more than its length', () => {
  assert.deepEqual(readSources('<source id="1" title="">\ntext'), [])
  assert.deepEqual(readSources('<source id="1" title="">\n'.repeat(50_000)), [])
  assert.deepEqual(readSources(`\n</source>${'<source id="1" title="">\n'.repeat(50_000)}`), [])
})
