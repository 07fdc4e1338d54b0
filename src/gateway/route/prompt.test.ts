import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../base/json.ts'
import { promptOf } from './prompt.ts'

const text = (seed: string, units: number): string => seed.repeat(Math.ceil(units / seed.length)).slice(0, units)
const say = (content: Json, role = 'user') => ({ role, content })
const blocksOf = (messages: Json, more = {}): readonly number[] => promptOf({ messages, ...more }, 0).blocks
const shared = (a: readonly number[], b: readonly number[]): number => {
  const at = a.findIndex((block, place) => b[place] !== block)
  return at < 0 ? a.length : at
}

test('prompts share the blocks of what they begin with, and none after', () => {
  const system = say(text('Rules. ', 5_000), 'system')
  const [one, two] = [blocksOf([system, say(text('One? ', 9_000))]), blocksOf([system, say(text('Two? ', 9_000))])]
  assert.deepEqual([one.length, two.length, shared(one, two)], [13, 13, 4])
  const [first, ...rest] = one
  assert.ok(first !== undefined && !rest.includes(first))
})

test('a conversation that goes on keeps its blocks, whole texts or parts', () => {
  const before = [say(text('Hello there. ', 3_000)), say(text('Well. ', 3_000), 'assistant')]
  const after = [...before, say('And then?')]
  assert.equal(shared(blocksOf(before), blocksOf(after)), blocksOf(before).length)
  const parts = [{ type: 'text', text: text('Hello there. ', 3_000) }]
  assert.equal(shared(blocksOf([say(parts)]), blocksOf(before)), 2)
})

test('the length of a prompt is bounded', () => {
  assert.equal(blocksOf([say('x'.repeat(8_000_000))]).length, 64)
  assert.ok(blocksOf(Array.from({ length: 100_000 }, () => say('x'))).length <= 64)
})

test('tools and salts come first: with others nothing is shared', () => {
  const messages = [say(text('Long. ', 4_000))]
  const tool = (name: string) => ({ tools: [{ type: 'function', function: { name, description: 'Looks.' } }] })
  assert.equal(shared(blocksOf(messages, tool('look')), blocksOf(messages, tool('seek'))), 0)
  assert.equal(shared(blocksOf(messages, { cache_salt: 'a' }), blocksOf(messages, { cache_salt: 'b' })), 0)
  assert.equal(shared(blocksOf(messages, tool('look')), blocksOf(messages, tool('look'))), 3)
})

test('of two pictures that begin alike the lengths differ', () => {
  const picture = (units: number) => ({
    type: 'image_url',
    image_url: { url: `data:image/png;base64,${'A'.repeat(units)}` },
  })
  const asked = (units: number) => blocksOf([say([picture(units), { type: 'text', text: text('What? ', 3_000) }])])
  assert.equal(shared(asked(5_000), asked(5_001)), 0)
})

test('what has no shape has no blocks', () => {
  for (const messages of ['text', null, [null, 3, { content: 7 }, { content: [null, {}] }]] as Json[])
    assert.deepEqual(blocksOf(messages, { tools: [null, { function: 3 }] }), [])
})
