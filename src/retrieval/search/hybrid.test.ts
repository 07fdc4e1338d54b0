import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openLibrary } from '../../../tests/kit/library.ts'
import type { SearchAnswer } from '../search.ts'

const documents = ({ passages }: SearchAnswer): string[] => passages.map(({ document }) => document)
const one = (id: string, text: string): { id: string; texts: string[] } => ({ id, texts: [text] })

describe('legs', () => {
  const texts = [
    one('both', 'A car, that is an automobile, is parked here'),
    one('words', 'The automobile club keeps minutes of its meetings'),
    one('meaning', 'Every vehicle needs a sticker'),
    one('neither', 'Soup is served at noon'),
  ]

  test('are put together, and each passage says where each had it', async () => {
    const { search } = await openLibrary(texts)
    const answer = await search('c', 'car', { k: 4 })
    assert.equal(answer.fusion, 'rank')
    assert.equal(documents(answer)[0], 'both')
    assert.ok(documents(answer).includes('meaning'), 'found by its meaning alone')
    const [best] = answer.passages
    assert.equal(best?.legs?.words?.rank, 1)
    assert.equal(best.legs.vector?.rank, 1)
    assert.ok(best.legs.words.score > 0 && best.legs.vector.score > 0.9)
    assert.equal(best.score, 2 / 61)
    const alone = answer.passages.find(({ document }) => document === 'meaning')
    assert.deepEqual(Object.keys(alone?.legs ?? {}), ['vector'])
  })

  test('may be asked for alone', async () => {
    const { search } = await openLibrary(texts)
    const words = await search('c', 'automobile club', { k: 4, mode: 'words' })
    assert.equal(documents(words)[0], 'words')
    assert.equal(words.fusion, 'none')
    assert.ok(words.passages.every(({ legs }) => legs?.vector === undefined))
    const vector = await search('c', 'car', { k: 3, mode: 'vector' })
    assert.ok(vector.passages.every(({ legs, score }) => legs?.words === undefined && legs?.vector?.score === score))
    assert.ok(!documents(vector).includes('neither'))
  })

  test('without vectors a hybrid search goes by words, and one by vectors is refused', async () => {
    const { search } = await openLibrary(texts, { vectors: false })
    assert.deepEqual(documents(await search('c', 'soup', { k: 1 })), ['neither'])
    await assert.rejects(search('c', 'soup', { k: 1, mode: 'vector' }), { code: 'field_invalid' })
  })

  test('an embedding that fails, fails the search: nothing falls back unseen', async () => {
    const { search } = await openLibrary(texts, { questionVector: () => Promise.reject(new Error('down')) })
    await assert.rejects(search('c', 'soup', { k: 1 }), /down/)
    assert.deepEqual(documents(await search('c', 'soup', { k: 1, mode: 'words' })), ['neither'])
  })

  test('a question without a word is still searched by its vector', async () => {
    const { search } = await openLibrary(texts, { questionVector: async () => Float32Array.of(1, 0, 0, 0, 0.1) })
    assert.equal(documents(await search('c', '車', { k: 1 }))[0], 'both')
  })

  test('scores are added where it is known how they lie', async () => {
    const many = Array.from({ length: 40 }, (_, at) =>
      one(
        `d${at}`,
        `car ${at % 3 === 0 ? 'apple' : ''} ${'automobile '.repeat(at % 5)} number ${at} ${'soup '.repeat(at)}`,
      ),
    )
    const { search } = await openLibrary(many)
    const answer = await search('c', 'car', { k: 40 })
    assert.equal(answer.fusion, 'score')
    const scores = answer.passages.map(({ score }) => score)
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    )
  })
})

describe('variety', () => {
  const texts = [
    one('a', 'The lighthouse keeper trims the lamp each evening before dusk'),
    one('b', 'The lighthouse keeper trims the lamp each evening before supper and dusk'),
    one('c', 'Storms: a lighthouse keeper records wind and rain in a book'),
  ]

  test('lambda 1 is relevance alone, a smaller one prefers what is new', async () => {
    const { search } = await openLibrary(texts, { vectors: false })
    const ask = (mmrLambda: number): Promise<SearchAnswer> =>
      search('c', 'lighthouse keeper trims lamp', { k: 2, mmrLambda })
    assert.deepEqual(documents(await ask(1)).toSorted(), ['a', 'b'])
    assert.ok(documents(await ask(0.3)).includes('c'))
    assert.equal(documents(await ask(0.3))[0], documents(await ask(1))[0], 'the best stays first')
  })
})

describe('rerank', () => {
  test('puts what was found into the order of the model', async () => {
    const { search } = await openLibrary([one('a', 'soup of the day'), one('b', 'soup of yesterday'), one('x', 'tea')])
    const seen: string[] = []
    const rerank = async (question: string, texts: readonly string[]): Promise<number[]> => {
      seen.push(question, ...texts)
      return texts.map((_, at) => texts.length - 1 - at)
    }
    const plain = documents(await search('c', 'soup', { k: 2, mode: 'words' }))
    assert.deepEqual(documents(await search('c', 'soup', { k: 2, mode: 'words', rerank })), plain.toReversed())
    assert.equal(seen[0], 'soup')
    assert.match(seen[1] ?? '', /^[ab]\nsoup of/)
  })

  test('positions that are none are left out', async () => {
    const { search } = await openLibrary([one('a', 'soup')])
    assert.deepEqual(documents(await search('c', 'soup', { k: 2, rerank: async () => [7, -1, 0] })), ['a'])
  })
})

describe('parents', () => {
  const written = {
    id: 'long',
    texts: ['Intro of it.', 'First half about ships.', 'The lamp is lit.', 'Second half about wind.', 'Other section.'],
    headings: ['A', 'B', 'B', 'B', 'C'],
  }
  const source = written.texts.join('\n\n')

  test('a passage grows by its neighbours of the same section, its range exact', async () => {
    const { search } = await openLibrary([written], { vectors: false })
    const { passages } = await search('c', 'lamp lit', { k: 3, expandTokensMax: 200 })
    assert.equal(passages.length, 1, 'its neighbours are part of it')
    const [passage] = passages
    assert.equal(passage?.text, 'First half about ships.\n\nThe lamp is lit.\n\nSecond half about wind.')
    assert.equal(source.slice(passage.start, passage.end), passage.text)
  })

  test('as far as the tokens go, what follows first', async () => {
    const { search } = await openLibrary([written], { vectors: false })
    const ask = async (expandTokensMax: number): Promise<string | undefined> =>
      (await search('c', 'lamp lit', { k: 1, expandTokensMax })).passages[0]?.text
    assert.equal(await ask(1), 'The lamp is lit.')
    assert.equal(await ask(12), 'The lamp is lit.\n\nSecond half about wind.')
  })

  test('no chunk is told twice', async () => {
    const { search } = await openLibrary(
      [{ id: 'd', texts: ['lamp one', 'lamp two', 'lamp three', 'lamp four'] }, one('e', 'lamp elsewhere')],
      { vectors: false },
    )
    const { passages } = await search('c', 'lamp', { k: 5, expandTokensMax: 6 })
    const told = passages.flatMap(({ text }) => text.split('\n\n'))
    assert.equal(new Set(told).size, told.length)
    assert.equal(told.length, 5)
  })
})
