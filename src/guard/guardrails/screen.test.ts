import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { PII_KINDS } from '../../config/pii-kinds.ts'
import { Blocklist } from './blocklist.ts'
import { type Detector, findIn, OUT_OF_TIME } from './finding.ts'
import { piiDetector } from './pii.ts'
import { Screen } from './screen.ts'
import { secretDetector } from './secrets.ts'
import { Vault } from './vault.ts'

const list = Blocklist.of(['project falcon'], ['tick[0-9]{3}'])
const DETECTORS = [piiDetector(PII_KINDS), secretDetector(), list as Blocklist]

const PIECES = fc.array(
  fc.oneof(
    fc.constantFrom(
      'ann@example.org',
      '4111 1111 1111 1111',
      '+49 30 901820',
      'DE89 3704 0044 0532 0130 00',
      '203.0.113.7',
      'AKIAIOSFODNN7EXAMPLE',
      'postgres://ann:hunter22@db',
      '-----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----',
      '-----BEGIN CERTIFICATE-----\nabcd',
      'Project Falcon',
      'tick123',
      'a sentence of words, ',
      '<EMAIL_1>',
      '😀',
      ' ',
      '\n',
      ' (',
      '). ',
    ),
    fc.string({ maxLength: 12 }),
  ),
  { maxLength: 20 },
)

const none = (): Vault => new Vault(() => false)
const screenOf = (detectors: readonly Detector[], vault = none()): Screen =>
  new Screen(
    detectors.map((detector) => ({ detector, replace: (kind) => `[${kind}]` })),
    { vault, within: (text) => text },
  )

test('a text that arrives in pieces is screened as the whole text is', () => {
  fc.assert(
    fc.property(PIECES, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), (pieces, sizes) => {
      const text = pieces.join('')
      const whole = screenOf(DETECTORS)
      const expected = whole.push(text) + whole.end()
      const screen = screenOf(DETECTORS)
      let passed = ''
      for (let at = 0, turn = 0; at < text.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        passed += screen.push(text.slice(at, at + size))
        at += size
      }
      assert.equal(passed + screen.end(), expected)
    }),
    { numRuns: 400 },
  )
})

test('no piece of a finding leaves before all of it has arrived', () => {
  const screen = screenOf([piiDetector(['email', 'card'])])
  const passed: string[] = []
  for (const char of 'Mail ann@example.org or pay 4111 1111 1111 1111 now') passed.push(screen.push(char))
  const text = passed.join('') + screen.end()
  assert.equal(text, 'Mail [email] or pay [card] now')
})

test('of prose only the word that is being written is held', () => {
  const screen = screenOf(DETECTORS.slice(0, 2))
  assert.equal(screen.push('Nothing to see he'), 'Nothing to see ')
  assert.equal(screen.push('re, move along'), 'here, move ')
  assert.equal(screen.end(), 'along')
})

test('what never ends is let go of', () => {
  const screen = screenOf([secretDetector()])
  const passed = screen.push(`-----BEGIN CERTIFICATE-----${'a'.repeat(10_000)}`)
  assert.ok(passed.length > 6_000)
})

test('what was taken out is put back, also where the name arrives in pieces', () => {
  const vault = new Vault((name) => name === '<EMAIL_1>')
  const finding = { kind: 'email', start: 0, end: 0 }
  assert.equal(vault.nameOf(finding, 'ann@example.org'), '<EMAIL_2>', 'the request says EMAIL_1 itself')
  assert.equal(vault.nameOf(finding, 'bob@example.org'), '<EMAIL_3>')
  assert.equal(vault.nameOf(finding, 'ann@example.org'), '<EMAIL_2>')
  const screen = screenOf([], vault)
  const passed = ['To <EM', 'AIL', '_2>, not <EMA', 'IL_9> or <b>', ' <'].map((piece) => screen.push(piece))
  assert.deepEqual(passed, ['To ', '', 'ann@example.org, not ', '<EMAIL_9> or <b>', ' '])
  assert.equal(screen.end(), '<')
})

test('long texts are read by windows, and nothing is missed or found twice at their seams', () => {
  const clock = new ManualClock()
  for (const detector of DETECTORS) {
    const span =
      detector === list ? 'Project Falcon' : detector === DETECTORS[0] ? 'ann@example.org' : 'AKIAIOSFODNN7EXAMPLE'
    for (const offset of [0, 1, 4000, 4080, 4095, 4096, 3800, 3839, 3840, 7700, 8000]) {
      const text = `${'x '.repeat(6000).slice(0, offset)} ${span} ${'y '.repeat(6000)}`
      const found = findIn(detector, text, clock, 1)
      assert.notEqual(found, OUT_OF_TIME)
      const spans = (found as readonly { start: number; end: number }[]).map(({ start, end }) => text.slice(start, end))
      assert.deepEqual(spans, [span], `${offset}`)
    }
  }
})

test('reading stops when its time is up', () => {
  const clock = new ManualClock()
  clock.advance(10)
  assert.equal(findIn(piiDetector(['email']), 'x'.repeat(10_000), clock, 5), OUT_OF_TIME)
})
