import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedOf, conditionOf, type Draft, EMPTY, readAddress, writeAddress } from './address.ts'

const WHOLE: Draft = {
  collection: 'handbook',
  question: 'how are keys rotated & why?',
  mode: 'words',
  k: 25,
  diversity: 0.35,
  expandTokens: 512,
  filters: [
    { name: 'a:b,c', operator: 'in', text: 'x, 2' },
    { name: 'year', operator: 'gte', text: '2020' },
  ],
}

test('an address holds the whole search, and no more than it must', () => {
  const address = writeAddress(WHOLE)
  assert.deepEqual(readAddress(new URL(address, 'http://x').searchParams), WHOLE)
  assert.equal(writeAddress({ ...EMPTY, question: ' a ' }), '/search?q=a')
  assert.equal(writeAddress({ ...EMPTY, filters: [{ name: ' ', operator: 'eq', text: '' }] }), '/search?')
})

test('what makes no sense in an address is as if it were not there', () => {
  const query = 'mode=odd&k=0&k=7&diversity=2&expand=1.5&filter=x&filter=[1,2,3]&filter=["a","like","b"]&filter={}'
  assert.deepEqual(readAddress(new URLSearchParams(query)), EMPTY)
  assert.equal(readAddress(new URLSearchParams('k=101')).k, EMPTY.k)
  assert.equal(readAddress(new URLSearchParams('k=')).k, EMPTY.k)
})

test('values are what they look like; quotes make a text', () => {
  const value = (text: string, operator: 'eq' | 'in' = 'eq') => conditionOf({ name: 'n', operator, text }).value
  assert.deepEqual(
    ['2024', ' true ', '"2024"', 'blue', ''].map((text) => value(text)),
    [2024, true, '2024', 'blue', ''],
  )
  assert.deepEqual(value('a, 2,, "3"', 'in'), ['a', 2, '3'])
  assert.deepEqual(askedOf(WHOLE).conditions, [
    { name: 'a:b,c', operator: 'in', value: ['x', 2] },
    { name: 'year', operator: 'gte', value: 2020 },
  ])
})
