import type { Attributes } from '../../store/filter.ts'
import type { IndexChunk } from '../../store/index.ts'
import type { VectorProbe, Vectors, VectorWriter } from '../../store/vectors.ts'
import { writeUnit } from './segment-build.ts'

/** The vectors of one segment while it is built: in memory as long as they are few, since comparing
 *  all of a few is fast and exact, and handed to `apart` once they are many. */
export class VectorRows {
  readonly #segment: string
  readonly #apart: Vectors | undefined
  readonly #rowsMax: number
  #dimension = 0
  #rows = 0
  #buffer = new Float32Array(0)
  #attributes: Attributes[] = []
  #writer: VectorWriter | undefined

  constructor(segment: string, apart: Vectors | undefined, rowsMax: number) {
    this.#segment = segment
    this.#apart = apart
    this.#rowsMax = rowsMax
  }

  async add(chunks: readonly IndexChunk[], dimension: number): Promise<void> {
    if (dimension === 0) return
    this.#dimension = dimension
    for (const { vector, attributes = {} } of chunks) {
      if (vector === undefined) continue
      const at = this.#rows * dimension
      if (at === this.#buffer.length) this.#grow()
      writeUnit(vector, this.#buffer, at)
      this.#attributes.push(attributes)
      this.#rows++
      if (this.#rows > this.#rowsMax && this.#apart !== undefined) await this.#handOver(this.#apart)
    }
  }

  /** Those kept in memory; none where they lie apart. */
  async finish(): Promise<{ readonly vectors: Float32Array; readonly probe?: VectorProbe }> {
    if (this.#writer === undefined) return { vectors: this.#buffer.slice(0, this.#rows * this.#dimension) }
    await this.#flush(this.#writer)
    return { vectors: new Float32Array(0), probe: await this.#writer.finish() }
  }

  async abandon(): Promise<void> {
    await this.#writer?.abandon()
  }

  async #handOver(apart: Vectors): Promise<void> {
    this.#writer ??= await apart.write(this.#segment, this.#dimension)
    await this.#flush(this.#writer)
  }

  async #flush(writer: VectorWriter): Promise<void> {
    await writer.add(this.#buffer.subarray(0, this.#rows * this.#dimension), this.#attributes)
    this.#rows = 0
    this.#attributes = []
  }

  #grow(): void {
    const larger = new Float32Array(Math.max(this.#buffer.length * 2, 64 * this.#dimension))
    larger.set(this.#buffer)
    this.#buffer = larger
  }
}
