import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../base/errors.ts'
import { seededRandom, uniform } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import { Lsa } from './lsa.ts'

const analyzer = new Analyzer()
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)

const TOPICS = ['road', 'oven'].map((topic) => Array.from({ length: 12 }, (_, at) => `${topic}${at}`))
const random = seededRandom(5)
const draw = (words: readonly string[]): string => words[Math.floor(uniform(random) * words.length)] ?? ''
const TEXTS = Array.from({ length: 10 }, (_, at) => {
  const topic = TOPICS[at % 2] ?? []
  return Array.from({ length: 20 }, () => draw(topic)).join(' ')
})

const fitted = (): Lsa => Lsa.fit(TEXTS, analyzer, seededRandom(1)) ?? assert.fail()

test('brings words together that stand with the same words', () => {
  const lsa = fitted()
  const [asked, same, other] = ['road1', 'road2 road3', 'oven2 oven3'].map((text) => lsa.place(text))
  assert.ok(asked !== undefined && same !== undefined && other !== undefined)
  assert.ok(cosine(asked, same) > cosine(asked, other) + 0.5)
})

test('folds to unit length, and a text of unknown words to nowhere', () => {
  const lsa = fitted()
  const oven = lsa.place('oven1')
  assert.equal(oven.length, Lsa.dimension)
  assert.ok(Math.abs(cosine(oven, oven) - 1) < 1e-5)
  assert.equal(lsa.fold('zyzzyva'), undefined)
  assert.equal(cosine(lsa.place('zyzzyva'), oven), 0)
  assert.equal(cosine(lsa.place(''), lsa.place('zyzzyva')), 1)
})

test('is the same when read again', () => {
  const lsa = fitted()
  const read = Lsa.read(lsa.bytes(), analyzer)
  assert.deepEqual(read.place('oven1 and road2'), lsa.place('oven1 and road2'))
  assert.equal(read.texts, TEXTS.length)
})

test('refuses bytes that were changed', () => {
  const bytes = fitted().bytes()
  bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 1
  const unavailable = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'index_unavailable'
  assert.throws(() => Lsa.read(bytes, analyzer), unavailable)
  assert.throws(() => Lsa.read(new Uint8Array(3), analyzer), unavailable)
})

test('has nothing to say about texts without a word in common', () => {
  assert.equal(Lsa.fit(['one', 'two', 'three'], analyzer, seededRandom(1)), undefined)
  assert.equal(Lsa.fit([], analyzer, seededRandom(1)), undefined)
})
