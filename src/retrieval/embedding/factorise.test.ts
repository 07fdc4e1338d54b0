import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, uniform } from '../../base/random.ts'
import { factorise, type SparseRows } from './factorise.ts'

function sparse(rows: readonly (readonly number[])[]): SparseRows {
  const at: number[] = []
  const values: number[] = []
  const rowEnds = rows.map((row) => {
    for (const [column, value] of row.entries()) {
      if (value === 0) continue
      at.push(column)
      values.push(value)
    }
    return at.length
  })
  return {
    columns: rows[0]?.length ?? 0,
    rowEnds: Uint32Array.from(rowEnds),
    at: Uint32Array.from(at),
    values: Float32Array.from(values),
  }
}

const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-4, `${a} is not ${b}`)

test('finds the singular values and directions of a diagonal matrix', () => {
  const diagonal = [5, 1, 3, 0, 2].map((value, at) => Array.from({ length: 5 }, (_, i) => (i === at ? value : 0)))
  const { rank, strengths, directions } = factorise(sparse(diagonal), 3, seededRandom(1))
  assert.equal(rank, 3)
  for (const [at, strength] of [5, 3, 2].entries()) near(strengths[at] ?? 0, strength)
  for (const [at, column] of [0, 2, 4].entries()) near(Math.abs(directions[column * rank + at] ?? 0), 1)
})

test('projects a matrix of low rank onto itself', () => {
  const random = seededRandom(2)
  const draw = (): number => uniform(random) - 0.5
  const left = Array.from({ length: 40 }, () => [draw(), draw(), draw()])
  const right = Array.from({ length: 3 }, () => Array.from({ length: 30 }, draw))
  const rows = left.map((row) =>
    Array.from({ length: 30 }, (_, column) => row.reduce((sum, x, i) => sum + x * (right[i]?.[column] ?? 0), 0)),
  )
  const { rank, directions } = factorise(sparse(rows), 10, seededRandom(3))
  assert.equal(rank, 3)
  for (const row of rows.slice(0, 5)) {
    const inside = Array.from({ length: rank }, (_, i) =>
      row.reduce((sum, x, column) => sum + x * (directions[column * rank + i] ?? 0), 0),
    )
    for (const [column, value] of row.entries())
      near(
        inside.reduce((sum, x, i) => sum + x * (directions[column * rank + i] ?? 0), 0),
        value,
      )
  }
})

test('has no directions where there is nothing', () => {
  assert.equal(factorise(sparse([[0, 0]]), 4, seededRandom(1)).rank, 0)
  assert.equal(factorise(sparse([]), 4, seededRandom(1)).rank, 0)
})
