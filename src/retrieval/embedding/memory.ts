/** What the vectors of a collection take of memory while they are searched in the embedded index. */

/** Of each vector: its coordinates as int8 with what the graph keeps of them, and its links. From the
 *  resident memory of two searched indexes (`bench/results`): ten million vectors of 384 dimensions in 6,568
 *  MiB, one million of 768 in 1,259 MiB, less 150 MiB for the process itself; a third may lie a fifth off. */
const BYTES_PER_DIMENSION = 1.3
const BYTES_PER_VECTOR = 180

/** About so many bytes. */
export const vectorMemoryBytes = (vectors: number, dimension: number): number =>
  Math.ceil(vectors * (BYTES_PER_DIMENSION * dimension + BYTES_PER_VECTOR))
