/** Little-endian 32-bit floats, as vectors are kept. */

export function bytesOfVectors(vectors: readonly Float32Array[]): Uint8Array {
  const bytes = new Uint8Array(4 * vectors.reduce((sum, vector) => sum + vector.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const vector of vectors) {
    for (const value of vector) {
      view.setFloat32(at, value, true)
      at += 4
    }
  }
  return bytes
}

/** Copied, since they need not begin at a multiple of four. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: bytes.byteLength >> 2 }, (_, at) => view.getFloat32(4 * at, true))
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (const [at, x] of a.entries()) {
    const y = b[at] ?? 0
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb)
}
