import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Analyzer, STOP_TERMS } from './words.ts'

const analyzer = new Analyzer()

test('case, accents, endings and possessives do not matter', () => {
  for (const [a, b] of [
    ['Connections', 'connected'],
    ['Café', 'cafe'],
    ['cafe\u0301', 'café'],
    ["engine's", 'engines'],
    ['engine’s', 'engine'],
    ['ﬁle', 'files'],
    ['Ünïcode', 'unicode'],
    ['ΟΔΟΣ', 'οδοσ'],
  ] as const) {
    assert.equal(analyzer.term(a), analyzer.term(b), `${a} ${b}`)
  }
})

test('an identifier is found whole and by its parts, a name only whole', () => {
  assert.deepEqual(analyzer.terms('outputTokensMax'), ['outputtokensmax', 'output', 'token', 'max'])
  assert.deepEqual(analyzer.terms('max_output_tokens'), ['max', 'output', 'token'])
  assert.deepEqual(analyzer.terms('OpenAI GitHub SQLite iPhone'), ['openai', 'github', 'sqlite', 'iphon'])
  assert.deepEqual(analyzer.terms('parseHTTPBody'), ['parsehttpbodi', 'pars', 'http', 'bodi'])
})

test('scripts without spaces come in pairs, and what stands between them as words', () => {
  assert.deepEqual(analyzer.terms('東京タワー'), ['東京', '京タ', 'タワ', 'ワー'])
  assert.deepEqual(analyzer.terms('GPT模型'), ['gpt', '模型'])
  assert.deepEqual(analyzer.terms('猫'), ['猫'])
  assert.deepEqual(analyzer.terms('한국어를'), ['한국', '국어', '어를'])
})

test('a word too long is cut, between characters', () => {
  const [term = ''] = analyzer.terms('x'.repeat(1000))
  assert.equal(term.length, 64)
  assert.ok(analyzer.terms('𝒳'.repeat(500)).every((cut) => cut.isWellFormed()))
  assert.ok(analyzer.terms(`a${'𝒳'.repeat(500)}`).every((cut) => cut.isWellFormed()))
})

test('text without words has none', () => {
  for (const text of ['', ' \n\t', '!?…', '😀🎉', "'''", '\ud800', '___']) assert.deepEqual(analyzer.terms(text), [])
})

test('what stands beside a script without spaces is a word only where it has letters', () => {
  assert.deepEqual(analyzer.terms("𚿰'don’t"), ['𚿰', 'don', 't'])
  assert.deepEqual(analyzer.terms('東\u0301京'), ['東', '京'])
  const [, don] = analyzer.words("𚿰'don")
  assert.deepEqual([don?.term, don?.start, don?.end], ['don', 3, 6])
})

test('words and terms agree, and a word read alone gives the term it gave in the text', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.constantFrom('don’t', 'maxTokens', '東京', ' ', 'é', '1.5'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      const words = [...analyzer.words(text)]
      assert.deepEqual(
        words.map(({ term }) => term),
        analyzer.terms(text),
      )
      let start = 0
      for (const word of words) {
        assert.ok(word.start >= start && word.end > word.start && word.end <= text.length)
        assert.notEqual(word.term, '')
        start = word.start
      }
    }),
    { numRuns: 200 },
  )
})

test('stop terms are terms', () => {
  for (const word of ['the', 'very', 'doing', 'please', 'does', 'was'])
    assert.ok(STOP_TERMS.has(analyzer.term(word)), word)
  for (const word of ['port', 'key', 'model']) assert.ok(!STOP_TERMS.has(analyzer.term(word)))
})
