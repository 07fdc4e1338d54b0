import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyBytes, keyTextOf } from './key.ts'

/** Any sequence of code units, half surrogate pairs included, crowded where encodings change. */
const unit = fc.oneof(
  fc.constantFrom(0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff),
  fc.nat(0xffff),
)
const text = fc.array(unit, { maxLength: 6 }).map((units) => String.fromCharCode(...units))

test('bytes are ordered as code units are', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(Buffer.compare(keyBytes(a), keyBytes(b))), a < b ? -1 : a > b ? 1 : 0)
    }),
  )
})

test('bytes give the text back', () => {
  fc.assert(fc.property(text, (one) => assert.equal(keyTextOf(keyBytes(one)), one)))
})
