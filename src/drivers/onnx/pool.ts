/** How one vector is made of those of the tokens. */
export type Pooling = 'mean' | 'cls'

/** Values of `rows` texts: `width` tokens of `dimension` each, or one vector for each text. */
export interface Output {
  readonly dims: readonly number[]
  readonly data: Float32Array
}

/** Unit vectors of the texts. `mask` says which tokens are the text's own, `width` to a text. A string
 *  says what is wrong with the output. */
export function pooled(output: Output, mask: BigInt64Array, rows: number, pooling: Pooling): Float32Array[] | string {
  const { dims, data } = output
  const dimension = dims.at(-1) ?? 0
  const width = dims.length === 3 ? (dims[1] ?? 0) : 1
  if (dims[0] !== rows || (dims.length !== 2 && dims.length !== 3) || data.length !== rows * width * dimension)
    return `its output has the shape ${dims.join(' x ')} for ${rows} texts`
  const own = (row: number, token: number): boolean =>
    dims.length === 2 || (pooling === 'cls' ? token === 0 : mask[row * width + token] === 1n)
  return Array.from({ length: rows }, (_, row) => {
    const vector = new Float32Array(dimension)
    for (let token = 0; token < width; token++) {
      if (!own(row, token)) continue
      const from = (row * width + token) * dimension
      for (let i = 0; i < dimension; i++) vector[i] = (vector[i] ?? 0) + (data[from + i] ?? 0)
    }
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
    // A mean is a sum made shorter: at unit length they are the same.
    return length === 0 ? vector : vector.map((value) => value / length)
  })
}
