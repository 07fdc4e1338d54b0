import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearest } from './nearest.ts'

test('a slip of the keyboard finds the name', () => {
  const known = ['engines', 'models', 'collections', 'workflows', 'listen']
  assert.equal(nearest('modles', known), 'models')
  assert.equal(nearest('engine', known), 'engines')
  assert.equal(nearest('Collection', known), 'collections')
  assert.equal(nearest('lsiten', known), 'listen')
})

test('what resembles nothing gets no suggestion', () => {
  assert.equal(nearest('temperature', ['engines', 'data']), undefined)
  assert.equal(nearest('', ['engines']), undefined)
  assert.equal(nearest('x'.repeat(100_000), ['x'.repeat(100_000)]), undefined)
})

test('a known name is its own nearest, and one edit away from a long name finds it', () => {
  const name = fc.stringMatching(/^[a-z]{3,20}$/)
  fc.assert(fc.property(name, (known) => assert.equal(nearest(known, ['zz', known]), known)))
  fc.assert(
    fc.property(name, fc.nat(), (known, at) => {
      const i = at % known.length
      assert.equal(nearest(known.slice(0, i) + known.slice(i + 1), [known]), known)
    }),
  )
})
