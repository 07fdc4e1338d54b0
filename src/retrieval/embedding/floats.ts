/** 32-bit floats, as vectors are kept: little-endian, as on every machine that Node ships for. */

export function bytesOfVectors(vectors: readonly Float32Array[]): Uint8Array {
  const all = new Float32Array(vectors.reduce((sum, vector) => sum + vector.length, 0))
  let at = 0
  for (const vector of vectors) {
    all.set(vector, at)
    at += vector.length
  }
  return new Uint8Array(all.buffer)
}

/** Copied, since they need not begin at a multiple of four. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const floats = new Float32Array(bytes.byteLength >> 2)
  new Uint8Array(floats.buffer).set(bytes.subarray(0, floats.byteLength))
  return floats
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
