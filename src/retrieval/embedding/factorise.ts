import type { Random } from '../../base/random.ts'

/** A sparse matrix by rows: the entries of row `i` are [rowEnds[i - 1], rowEnds[i]). */
export interface SparseRows {
  readonly columns: number
  readonly rowEnds: Uint32Array
  readonly at: Uint32Array
  readonly values: Float32Array
}

export interface Subspace {
  /** At most what was asked for, less where the matrix has a lower rank. */
  readonly rank: number
  /** Right singular vectors, one row of `rank` numbers per column of the matrix. */
  readonly directions: Float32Array
  /** Singular values, falling. */
  readonly strengths: Float64Array
}

/** More directions are iterated than are kept: the last ones would not have settled. */
const SPARE_DIRECTIONS = 16
/** Passes over the matrix there and back. On Cranfield six instead of three change no figure by more
 *  than .002. */
const ITERATIONS = 3
/** Directions below this part of the strongest are rounding. */
const STRENGTH_SHARE_MIN = 1e-5

/** The leading right singular vectors by randomised subspace iteration (Halko, Martinsson and Tropp
 *  2011, algorithm 4.4), then Rayleigh and Ritz. Takes seconds where the matrix is large: for a process that has nothing else to do. */
export function factorise(matrix: SparseRows, rankMax: number, random: Random): Subspace {
  const rows = matrix.rowEnds.length
  const width = Math.min(rankMax + SPARE_DIRECTIONS, rows, matrix.columns)
  let basis = gaussian(matrix.columns * width, random)
  orthonormalise(basis, matrix.columns, width, 2)
  let image = times(matrix, basis, width)
  for (let pass = 0; pass < ITERATIONS; pass++) {
    basis = transposedTimes(matrix, image, width)
    orthonormalise(basis, matrix.columns, width, pass + 1 < ITERATIONS ? 1 : 2)
    image = times(matrix, basis, width)
  }
  const { values, vectors } = symmetricEigen(gram(image, rows, width), width)
  const strongest = Math.sqrt(Math.max(0, values[0] ?? 0))
  const strengths: number[] = []
  for (const value of values.subarray(0, rankMax)) {
    const strength = Math.sqrt(Math.max(0, value))
    if (strength > strongest * STRENGTH_SHARE_MIN && strength > 0) strengths.push(strength)
  }
  const rank = strengths.length
  return {
    rank,
    directions: rotated(basis, vectors, matrix.columns, width, rank),
    strengths: Float64Array.from(strengths),
  }
}

function times({ rowEnds, at, values }: SparseRows, dense: Float32Array, width: number): Float32Array {
  const out = new Float32Array(rowEnds.length * width)
  for (let row = 0, entry = 0; row < rowEnds.length; row++) {
    const to = row * width
    for (const end = rowEnds[row] ?? 0; entry < end; entry++)
      addScaled(out, to, dense, (at[entry] ?? 0) * width, values[entry] ?? 0, width)
  }
  return out
}

function transposedTimes(matrix: SparseRows, dense: Float32Array, width: number): Float32Array {
  const { columns, rowEnds, at, values } = matrix
  const out = new Float32Array(columns * width)
  for (let row = 0, entry = 0; row < rowEnds.length; row++) {
    const from = row * width
    for (const end = rowEnds[row] ?? 0; entry < end; entry++)
      addScaled(out, (at[entry] ?? 0) * width, dense, from, values[entry] ?? 0, width)
  }
  return out
}

function addScaled(out: Float32Array, to: number, from: Float32Array, start: number, by: number, width: number): void {
  for (let i = 0; i < width; i++) out[to + i] = (out[to + i] ?? 0) + by * (from[start + i] ?? 0)
}

/** The columns made orthonormal by the Cholesky factor of their Gram matrix. Once loses half of the
 *  digits, which is enough on the way; twice does not (CholeskyQR2: Yamamoto and others 2015). A
 *  column that depends on those before it becomes zero. */
function orthonormalise(columns: Float32Array, rows: number, width: number, rounds: 1 | 2): void {
  for (let round = 0; round < rounds; round++) {
    const factor = cholesky(gram(columns, rows, width), width)
    const row = new Float64Array(width)
    for (let r = 0; r < rows; r++) {
      const base = r * width
      for (let j = 0; j < width; j++) {
        let sum = columns[base + j] ?? 0
        const line = j * width
        for (let i = 0; i < j; i++) sum -= (factor[line + i] ?? 0) * (row[i] ?? 0)
        const pivot = factor[line + j] ?? 0
        row[j] = pivot === 0 ? 0 : sum / pivot
      }
      columns.set(row, base)
    }
  }
}

/** The products of the columns with each other. */
function gram(columns: Float32Array, rows: number, width: number): Float64Array {
  const out = new Float64Array(width * width)
  for (let r = 0; r < rows; r++) {
    const base = r * width
    for (let i = 0; i < width; i++) {
      const x = columns[base + i] ?? 0
      if (x === 0) continue
      const line = i * width
      for (let j = 0; j <= i; j++) out[line + j] = (out[line + j] ?? 0) + x * (columns[base + j] ?? 0)
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) out[j * width + i] = out[i * width + j] ?? 0
  return out
}

/** Lower, by rows. A pivot lost to rounding is 0. */
function cholesky(matrix: Float64Array, width: number): Float64Array {
  const factor = new Float64Array(width * width)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j] ?? 0
      for (let k = 0; k < j; k++) sum -= (factor[i * width + k] ?? 0) * (factor[j * width + k] ?? 0)
      const pivot = factor[j * width + j] ?? 0
      if (i !== j) factor[i * width + j] = pivot === 0 ? 0 : sum / pivot
      else factor[i * width + i] = sum > 1e-12 * (matrix[i * width + i] ?? 0) ? Math.sqrt(sum) : 0
    }
  }
  return factor
}

const SWEEPS_MAX = 30

/** Eigenvalues, falling, and eigenvectors as columns, by cyclic Jacobi rotations (Golub and Van Loan,
 *  Matrix Computations, 8.5). Overwrites `matrix`. */
function symmetricEigen(matrix: Float64Array, size: number): { values: Float64Array; vectors: Float64Array } {
  // By rows, since rotating rows runs along memory; turned round at the end.
  const rows = new Float64Array(size * size)
  for (let i = 0; i < size; i++) rows[i * size + i] = 1
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    if (offDiagonal(matrix, size) <= 1e-18) break
    for (let p = 0; p < size - 1; p++) for (let q = p + 1; q < size; q++) rotate(matrix, rows, size, p, q)
  }
  const order = Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => (matrix[b * size + b] ?? 0) - (matrix[a * size + a] ?? 0),
  )
  const vectors = new Float64Array(size * size)
  for (const [column, from] of order.entries())
    for (let i = 0; i < size; i++) vectors[i * size + column] = rows[from * size + i] ?? 0
  return { values: Float64Array.from(order, (i) => matrix[i * size + i] ?? 0), vectors }
}

/** Share of the squared weight that is not on the diagonal. */
function offDiagonal(matrix: Float64Array, size: number): number {
  let [off, all] = [0, 0]
  for (const [at, value] of matrix.entries()) {
    all += value * value
    if (at % (size + 1) !== 0) off += value * value
  }
  return all === 0 ? 0 : off / all
}

function rotate(matrix: Float64Array, rows: Float64Array, size: number, p: number, q: number): void {
  const pq = matrix[p * size + q] ?? 0
  const [pp, qq] = [matrix[p * size + p] ?? 0, matrix[q * size + q] ?? 0]
  if (Math.abs(pq) <= 1e-15 * Math.sqrt(Math.abs(pp * qq))) return
  const tau = (qq - pp) / (2 * pq)
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau))
  const c = 1 / Math.sqrt(1 + t * t)
  const s = t * c
  for (let k = 0; k < size; k++) {
    if (k === p || k === q) continue
    const [a, b] = [matrix[p * size + k] ?? 0, matrix[q * size + k] ?? 0]
    const [x, y] = [c * a - s * b, s * a + c * b]
    matrix[p * size + k] = matrix[k * size + p] = x
    matrix[q * size + k] = matrix[k * size + q] = y
  }
  matrix[p * size + p] = pp - t * pq
  matrix[q * size + q] = qq + t * pq
  matrix[p * size + q] = matrix[q * size + p] = 0
  for (let k = 0; k < size; k++) {
    const [a, b] = [rows[p * size + k] ?? 0, rows[q * size + k] ?? 0]
    rows[p * size + k] = c * a - s * b
    rows[q * size + k] = s * a + c * b
  }
}

/** The first `rank` columns of `basis` times `vectors`. */
function rotated(basis: Float32Array, vectors: Float64Array, rows: number, width: number, rank: number): Float32Array {
  const out = new Float32Array(rows * rank)
  const sum = new Float64Array(rank)
  for (let r = 0; r < rows; r++) {
    sum.fill(0)
    for (let i = 0; i < width; i++) {
      const x = basis[r * width + i] ?? 0
      if (x === 0) continue
      for (let j = 0; j < rank; j++) sum[j] = (sum[j] ?? 0) + x * (vectors[i * width + j] ?? 0)
    }
    out.set(sum, r * rank)
  }
  return out
}

function gaussian(length: number, random: Random): Float32Array {
  const bytes = random.bytes(8 * length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Box and Muller; one half is thrown away.
  return Float32Array.from({ length }, (_, i) => {
    const [u, v] = [(view.getUint32(8 * i) + 1) / 2 ** 32, view.getUint32(8 * i + 4) / 2 ** 32]
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)
  })
}
