import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { openLibrary, type Written } from '../../../tests/kit/library.ts'
import { type AttributeValue, type Filter, matches } from '../../store/filter.ts'
import type { SearchAnswer } from '../search.ts'
import { type Access, attributesOf, bothOf, mandatoryFilter, maySeeDocument } from './access.ts'

/** Tenants, seen by one who wants what is not theirs. */

const TEXT = 'the secret of the harbour'
const written = (id: string, tenant?: AttributeValue): Written => ({
  id,
  texts: [`${TEXT} ${id}`],
  ...(tenant === undefined ? {} : { metadata: { tenant, shelf: 'x' } }),
})
const LIBRARY = [written('open'), written('acme', 'acme'), written('globex', 'globex'), written('seven', 7)]
const documents = ({ passages }: SearchAnswer): string[] => passages.map(({ document }) => document).toSorted()

const ACME: Access = { tenant: 'acme' }

describe('a tenant', () => {
  test('sees its own documents and those of nobody', async () => {
    const { search } = await openLibrary(LIBRARY)
    assert.deepEqual(documents(await search('c', TEXT, { k: 10, access: ACME })), ['acme', 'open'])
    assert.deepEqual(documents(await search('c', TEXT, { k: 10, access: { tenant: undefined } })), ['open'])
    assert.deepEqual(documents(await search('c', TEXT, { k: 10 })), ['open'], 'a caller that nothing is known about')
    assert.deepEqual(documents(await search('c', TEXT, { k: 10, access: 'all' })), ['acme', 'globex', 'open', 'seven'])
  })

  test('reaches nobody else by any filter', async () => {
    const { search } = await openLibrary(LIBRARY)
    const globex: Filter = { op: 'in', name: 'tenant', values: ['globex', 7] }
    const attacks: Filter[] = [
      globex,
      { op: 'not', filter: { op: 'in', name: 'tenant', values: ['acme'] } },
      { op: 'or', filters: [globex, { op: 'not', filter: globex }] },
      { op: 'not', filter: { op: 'and', filters: [] } },
      { op: 'not', filter: { op: 'or', filters: [] } },
      { op: 'and', filters: [] },
      { op: 'range', name: 'tenant' },
      { op: 'range', name: 'tenant', atLeast: 0 },
      { op: 'in', name: 'document', values: ['globex', 'seven'] },
      { op: 'not', filter: { op: 'in', name: '__proto__', values: [true] } },
    ]
    for (const mode of ['hybrid', 'words', 'vector'] as const)
      for (const filter of attacks) {
        const found = documents(await search('c', TEXT, { k: 10, access: ACME, filter, mode }))
        assert.ok(!found.includes('globex') && !found.includes('seven'), JSON.stringify({ mode, filter, found }))
      }
  })

  test('is not told words of what it may not see', async () => {
    const { search } = await openLibrary(
      [written('open'), { id: 'g', texts: [`${TEXT} launchcode`], metadata: { tenant: 'globex' } }],
      { vectors: false },
    )
    const answer = await search('c', TEXT, { k: 10, access: ACME })
    assert.ok(answer.terms.every(({ word }) => word !== 'launchcode'))
  })

  test('gets no larger passage with a neighbour that is not its own', async () => {
    const { search } = await openLibrary([
      written('globex', 'globex'),
      written('acme', 'acme'),
      written('g2', 'globex'),
    ])
    const { passages } = await search('c', TEXT, { k: 10, access: ACME, expandTokensMax: 1000 })
    assert.deepEqual(
      passages.map(({ text }) => text),
      [`${TEXT} acme`],
    )
  })

  test('finds as many as there are behind a crowd of others', async () => {
    const crowd = Array.from({ length: 300 }, (_, at) => written(`g${at}`, 'globex'))
    const { search } = await openLibrary([...crowd, ...Array.from({ length: 5 }, (_, at) => written(`a${at}`, 'acme'))])
    const found = await search('c', TEXT, { k: 5, access: ACME })
    assert.deepEqual(documents(found), ['a0', 'a1', 'a2', 'a3', 'a4'])
  })

  test('sees a collection of another tenant as one that is not there', async () => {
    const { search } = await openLibrary(LIBRARY, { ownerOf: () => 'globex' })
    assert.deepEqual((await search('c', TEXT, { k: 10, access: ACME })).passages, [])
    assert.deepEqual(documents(await search('c', TEXT, { k: 10, access: { tenant: 'globex' } })), ['globex', 'open'])
  })
})

const value = fc.oneof(fc.constantFrom('acme', 'globex', '', 'x'), fc.integer({ min: -1, max: 8 }), fc.boolean())
const name = fc.constantFrom('tenant', 'shelf', 'document', 'toString')
const filters = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    fc.record({ op: fc.constant('in' as const), name, values: fc.array(value, { maxLength: 3 }) }),
    fc.record({ op: fc.constant('range' as const), name, atLeast: fc.constantFrom(-1, 0, 7) }),
    fc.record({ op: fc.constant('not' as const), filter: tie('filter') }),
    fc.record({ op: fc.constant('and' as const), filters: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ op: fc.constant('or' as const), filters: fc.array(tie('filter'), { maxLength: 3 }) }),
  ),
})).filter

test('no filter matches what the mandatory one does not, and that one says what the rows say', () => {
  const access = fc.option(fc.constantFrom('acme', 'globex'), { nil: undefined }).map((tenant): Access => ({ tenant }))
  const metadata = fc.record({ tenant: value, shelf: value }, { requiredKeys: [] })
  fc.assert(
    fc.property(access, filters, metadata, (who, filter, its) => {
      const must = mandatoryFilter(who)
      assert.ok(must !== undefined)
      const attributes = attributesOf({ id: 'd', metadata: its })
      const asked = bothOf(must, filter)
      if (asked !== undefined && matches(asked, attributes)) assert.ok(matches(must, attributes))
      assert.equal(matches(must, attributes), maySeeDocument(who, { metadata: its }))
    }),
  )
})

test('what a document says of itself does not take its tenant away', () => {
  const metadata = { tenant: 'globex', tenanted: false }
  const attributes = attributesOf({ id: 'd', metadata })
  for (const who of [ACME, { tenant: undefined }]) {
    assert.equal(maySeeDocument(who, { metadata }), false)
    assert.equal(matches(mandatoryFilter(who) ?? assert.fail(), attributes), false)
  }
})
