import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../tests/kit/clock.ts'
import { Refusal } from '../base/errors.ts'
import type { Json } from '../base/json.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Rows } from '../store/rows.ts'
import { Prompts, readReference } from './prompts.ts'
import { hashOf, readTemplate, render, type Template, textOf } from './template.ts'

const WHO = { by: 'ann', note: '', reason: 'reviewed' }

const template = (content: string, more: object = {}): Template => {
  const read = readTemplate({ messages: [{ role: 'system', content }], ...more })
  return read instanceof Refusal ? assert.fail(JSON.stringify(read)) : read
}
const fine = <Value>(value: Value | Refusal): Value =>
  value instanceof Refusal ? assert.fail(JSON.stringify(value)) : value
const problem = (value: unknown): string =>
  value instanceof Refusal
    ? `${String(value.details['field'] ?? value.details['what'])} ${String(value.details['problem'] ?? value.details['id'])}`
    : assert.fail('it was taken')

function open(rows: Rows = new MemoryRows()) {
  const clock = new ManualClock()
  return { clock, rows, prompts: new Prompts({ rows, clock }) }
}

test('versions are numbered without gaps, never change, and the same again is the same version', async () => {
  const { prompts } = open()
  assert.equal(fine(await prompts.create('support', template('One.'), WHO)).version, 1)
  assert.equal(fine(await prompts.create('support', template('Two.'), WHO)).version, 2)
  assert.equal(fine(await prompts.create('support', template('Two.'), { by: 'bob', note: 'again' })).version, 2)
  assert.equal(fine(await prompts.create('support', template('One.'), WHO)).version, 3)
  assert.equal(fine(await prompts.version('support', 1)).template.messages[0]?.content, 'One.')
  assert.deepEqual(
    (await prompts.versions('support', 2, undefined))?.map(({ version }) => version),
    [3, 2],
  )
  assert.deepEqual(
    (await prompts.versions('support', 2, 2))?.map(({ version }) => version),
    [1],
  )
  assert.equal(await prompts.versions('nobody', 2, undefined), undefined)
})

test('many who make versions at the same moment make one each', async () => {
  const { rows, clock } = open()
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, at) => new Prompts({ rows, clock }).create('support', template(`No. ${at}`), WHO)),
  )
  assert.deepEqual(
    made.map((one) => fine(one).version).toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, at) => at + 1),
  )
})

test('a label tells what it stood for at any time, and goes back to what it stood for before', async () => {
  const { prompts, clock } = open()
  const start = clock.wallMs()
  for (const text of ['One.', 'Two.', 'Three.']) await prompts.create('support', template(text), WHO)
  for (const version of [1, 2, 2, 3]) {
    clock.advance(1_000)
    fine(await prompts.turn('support', 'production', version, WHO))
  }
  const at = async (ms: number) => (await prompts.versionAt('support', 'production', start + ms))?.version
  assert.deepEqual([await at(999), await at(1_000), await at(2_500), await at(9_000)], [undefined, 1, 2, 3])
  clock.advance(1_000)
  assert.equal(fine(await prompts.rollBack('support', 'production', WHO)).version, 2)
  assert.equal((await prompts.history('support', 'production')).length, 5)
  assert.equal(await at(4_500), 3, 'the history is only added to')
  assert.match(problem(await prompts.rollBack('support', 'canary', WHO)), /earlier version/)
  assert.match(problem(await prompts.turn('support', 'production', 9, WHO)), /support@9/)
  for (const label of ['latest', 'Production', '3', ''])
    assert.match(problem(await prompts.turn('support', label, 1, WHO)), /is no label/)
})

test('a reference names a version, and a turned label is seen by others within half a second', async () => {
  const { prompts, rows, clock } = open()
  const other = new Prompts({ rows, clock })
  for (const text of ['One.', 'Two.']) await prompts.create('support', template(text), WHO)
  await prompts.turn('support', 'production', 1, WHO)
  const at = async (from: Prompts, text: string) =>
    fine(await from.resolve(readReference(text) ?? assert.fail(text))).version
  assert.deepEqual(
    [await at(other, 'support'), await at(other, 'support@2'), await at(other, 'support@latest')],
    [1, 2, 2],
  )
  await prompts.turn('support', 'production', 2, WHO)
  assert.equal(await at(prompts, 'support'), 2)
  clock.advance(501)
  assert.equal(await at(other, 'support@production'), 2)
  assert.match(problem(await prompts.resolve({ name: 'support', at: 'canary' })), /support@canary/)
  for (const text of ['', '@x', 'Support', 'a@b@c', 'a@0', 'a@A', 'a b', `a@${'9'.repeat(9)}`])
    assert.equal(readReference(text), undefined, text)
})

test('variables are said where they are placed, and a value stays text', () => {
  const one = template('Dear {{ name }}, {{n}} of {{{{n}}.', { variables: { n: { type: 'integer', default: 3 } } })
  assert.equal(fine(render(one, { name: '{{n}} $& $1' }))[0]?.content, 'Dear {{n}} $& $1, 3 of {{n}}.')
  assert.match(problem(render(one, {})), /prompt.variables.name is missing/)
  assert.match(problem(render(one, { name: 'a', m: 1 })), /prompt.variables.m is no variable/)
  assert.match(problem(render(one, { name: 3 })), /must be a string/)
  assert.match(problem(render(one, { name: 'a', n: 1.5 })), /a whole number/)
  const chosen = template('{{tone}}', { variables: { tone: { enum: ['kind', 'short'], maxLength: 5 } } })
  assert.match(problem(render(chosen, { tone: 'rude' })), /must be one of kind, short/)
  assert.match(problem(render(chosen, { tone: 'a'.repeat(6) })), /more than 5/)
})

test('whatever is said, no message is added and none speaks for another', () => {
  const one = template('A {{x}} B', {})
  fc.assert(
    fc.property(fc.string(), (x) => {
      const said = fine(render(one, { x }))
      assert.deepEqual(said, [{ role: 'system', content: `A ${x} B` }])
    }),
  )
})

test('what is no template is refused, field by field', () => {
  const messages = [{ role: 'system', content: 'Hi {{x}}' }]
  const rows: [unknown, RegExp][] = [
    [7, /^body/],
    [{}, /^messages must/],
    [{ messages: [] }, /^messages must/],
    [{ messages: [{ role: 'root', content: 'x' }] }, /messages\[0\].role/],
    [{ messages: [{ role: 'user', content: '' }] }, /messages\[0\].content/],
    [{ messages: [{ role: 'user', content: 7 }] }, /messages\[0\].content/],
    [{ messages, variables: { y: {} } }, /variables.y stands in no message/],
    [{ messages, variables: { x: 7 } }, /variables.x must be an object/],
    [{ messages, variables: { x: { type: 'date' } } }, /variables.x.type/],
    [{ messages, variables: { x: { maxLength: 0 } } }, /variables.x.maxLength/],
    [{ messages, variables: { x: { default: 7 } } }, /variables.x.default/],
    [{ messages, variables: { x: { enum: [] } } }, /variables.x.enum/],
    [{ messages, variables: { x: { required: 'yes' } } }, /variables.x.required/],
    [{ messages, settings: { model: 'x' } }, /settings.model/],
    [{ messages, settings: { max_tokens: 7 } }, /settings.max_tokens/],
    [{ messages, settings: [] }, /settings must/],
  ]
  for (const [given, expected] of rows) assert.match(problem(readTemplate(given as Json)), expected)
})

test('the hash is of what is said, not of how it was written down', () => {
  const a = template('Hi {{x}}', { settings: { top_p: 1, temperature: 0 } })
  const b = template('Hi {{x}}', { settings: { temperature: 0, top_p: 1 }, variables: { x: {} } })
  assert.equal(hashOf(a), hashOf(b))
  assert.equal(textOf(a), textOf(b))
  assert.notEqual(hashOf(a), hashOf(template('Hi {{x}} ')))
})
