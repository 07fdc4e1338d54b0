import { createRequire } from 'node:module'
import { reasonOf } from '../../base/errors.ts'

/** zvec, an in-process vector database, as much of it as is used here. Its platform packages hold
 *  the program ready made; the package around them would add an install script and nothing else.
 *  https://zvec.org, Apache-2.0. */

export interface Zvec {
  readonly CollectionSchema: new (schema: {
    readonly name: string
    readonly vectors: readonly VectorField[]
    readonly fields: readonly Field[]
  }) => Schema
  initialize(options: {
    readonly logType: 'console'
    readonly logLevel: number
    readonly queryThreads: number
    readonly optimizeThreads: number
    readonly bruteForceByKeysRatio: number
  }): void
  createAndOpen(path: string, schema: Schema, options: OpenOptions): Collection
  open(path: string, options: OpenOptions): Collection
}

export interface Schema {
  readonly name: string
}

interface OpenOptions {
  readonly readOnly: boolean
  readonly enableMMAP: boolean
}

interface Field {
  readonly name: string
  readonly dataType: number
  readonly nullable: boolean
  readonly indexParams: { readonly indexType: number }
}

interface VectorField {
  readonly name: string
  readonly dataType: number
  readonly dimension: number
  readonly indexParams: {
    readonly indexType: number
    readonly metricType: number
    readonly quantizeType?: number
    readonly m?: number
    readonly efConstruction?: number
  }
}

export interface Collection {
  readonly stats: { readonly docCount: number }
  insertSync(docs: readonly Doc[]): readonly { readonly ok: boolean; readonly message: string }[]
  query(query: Query): Promise<readonly { readonly id: string; readonly score: number }[]>
  optimize(options: { readonly concurrency: number }): Promise<void>
  closeSync(): void
}

export interface Doc {
  readonly id: string
  readonly vectors: { readonly v: Float32Array }
  readonly fields: { readonly a: readonly string[] }
}

export interface Query {
  readonly fieldName: string
  readonly vector: Float32Array
  readonly topk: number
  readonly filter?: string
  readonly outputFields: readonly string[]
  /** Absent for a flat index, which knows none. */
  readonly params?: {
    readonly indexType: number
    readonly ef?: number
    readonly isLinear?: boolean
    readonly isUsingRefiner?: boolean
  }
}

/** As its enumerations number them. */
export const INDEX = { hnsw: 1, flat: 3, invert: 10 } as const
export const TYPE = { vectorFp32: 23, arrayString: 41 } as const
export const METRIC = { cosine: 3 } as const
export const QUANTIZE = { int8: 2 } as const
const LOG_ERRORS = 3
/** Where a filter leaves a smaller share, what is left is compared. zvec's own bound is higher: a tenth
 *  of ten million took 211 ms of CPU. */
const COMPARED_SHARE_MAX = 0.02

const PACKAGES: { readonly [platform: string]: string } = {
  'linux-x64': '@zvec/bindings-linux-x64',
  'linux-arm64': '@zvec/bindings-linux-arm64',
  'darwin-arm64': '@zvec/bindings-darwin-arm64',
  'win32-x64': '@zvec/bindings-win32-x64',
}

/** Undefined where it is not installed or does not run on this machine: then why. */
export function loadZvec(threads: number): Zvec | string {
  const platform = `${process.platform}-${process.arch}`
  const name = PACKAGES[platform]
  if (name === undefined) return `it is not built for ${platform}`
  try {
    // Nothing checks what a native module exports but its first use, right here.
    const zvec = createRequire(import.meta.url)(name) as Zvec
    zvec.initialize({
      logType: 'console',
      logLevel: LOG_ERRORS,
      queryThreads: threads,
      optimizeThreads: threads,
      bruteForceByKeysRatio: COMPARED_SHARE_MAX,
    })
    return zvec
  } catch (thrown) {
    return reasonOf(thrown)
  }
}
