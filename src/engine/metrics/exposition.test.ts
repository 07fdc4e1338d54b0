import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { samplesOf } from './exposition.ts'

const NAMES = new Set(['up', 'a:b_c'])
const read = (page: string): unknown[] =>
  samplesOf(page, NAMES).map(({ name, labels, value }) => [name, { ...labels }, value])

test('samples with labels, times, exemplars and comments around them', () => {
  const page = [
    '# HELP up whether it is',
    '# TYPE up gauge',
    'up 1',
    'up{} 2 1395066363000',
    'up { } 0',
    'a:b_c{model_name="m\\"x\\\\y\\nz",le="+Inf",} 0.25e1',
    'a:b_c{ a = "1" , b = "2" } -.5 # {trace_id="x"} 1',
    'down 9',
    'up_total 3',
    'up\t4\r',
    'up 5',
  ].join('\n')
  assert.deepEqual(read(page), [
    ['up', {}, 1],
    ['up', {}, 2],
    ['a:b_c', { model_name: 'm"x\\y\nz', le: '+Inf' }, 2.5],
    ['a:b_c', { a: '1', b: '2' }, -0.5],
    ['up', {}, 4],
    ['up', {}, 5],
  ])
})

test('what is no number is no sample, and one bad line leaves the others', () => {
  const bad = [
    'up NaN',
    'up +Inf',
    'up -Inf',
    'up',
    'up ',
    'up one',
    'up 0x10',
    'up 1_000',
    'up 1 2x x',
    'up 1e9999',
    'up{a="1" 2',
    'up{a=1} 2',
    'up{a="1}',
    'up{a="1"}{b="2"} 3',
    'up{,} 1',
    'up{="1"} 1',
    `up{${Array.from({ length: 100 }, (_, at) => `l${at}="x"`).join()}} 1`,
    `up{a="${'x'.repeat(5_000)}"} 1`,
    `up ${'9'.repeat(5_000)}`,
    '{up} 1',
    '<html>',
    '\0\0\0',
  ]
  for (const line of bad) assert.deepEqual(read(`${line}\nup 7`), [['up', {}, 7]], line.slice(0, 60))
})

test('a label called __proto__ is one like any other', () => {
  const [sample] = samplesOf('up{__proto__="x",constructor="y"} 1', NAMES)
  assert.deepEqual(Object.entries(sample?.labels ?? {}), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  assert.equal(({} as { x?: string }).x, undefined)
})

test('a page of any size is read in time that grows with it, and no more samples than are bounded', () => {
  assert.equal(samplesOf('up 1\n'.repeat(100_000), NAMES).length, 4_096)
  assert.deepEqual(read(`up{${'a="\\\\'.repeat(200_000)}`), [])
  assert.deepEqual(read(`up{${' '.repeat(400_000)}`), [])
  assert.deepEqual(read(`${'x'.repeat(4_000_000)}\nup 1`), [['up', {}, 1]])
})

test('whatever comes, it is read or passed over', () => {
  const token = fc.constantFrom(
    'up',
    'a:b_c',
    '{',
    '}',
    '"',
    '\\',
    ',',
    '=',
    ' ',
    '\n',
    '1',
    '-',
    '.',
    'e',
    'NaN',
    '#',
    '\t',
  )
  fc.assert(
    fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
      for (const { value } of samplesOf(tokens.join(''), NAMES)) assert.ok(Number.isFinite(value))
    }),
    { numRuns: 2_000 },
  )
})
