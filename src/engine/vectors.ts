import type { Json } from '../base/json.ts'

/** Vectors as JSON lists, one for each of `count` inputs, or what is wrong with them. */
export function readVectors(listed: Json | undefined, count: number): Float32Array[] | string {
  if (!Array.isArray(listed) || listed.length !== count) return `${count} embeddings were asked for`
  const vectors: Float32Array[] = []
  for (const [at, numbers] of (listed as readonly Json[]).entries()) {
    if (!Array.isArray(numbers) || numbers.length === 0 || !numbers.every((one) => typeof one === 'number'))
      return `embedding ${at} is no list of numbers`
    vectors.push(Float32Array.from(numbers as readonly number[]))
  }
  return vectors
}
