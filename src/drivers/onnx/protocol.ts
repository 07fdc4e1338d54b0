import type { ErrorCode } from '../../base/errors.ts'
import type { Pooling } from './pool.ts'

/** What is said between an engine and its thread. */

export interface Opening {
  readonly name: string
  readonly folder: string
  /** Of the package `onnxruntime-node`. */
  readonly runtime: string
  /** Else what the folder says. */
  readonly pooling: Pooling | undefined
  readonly threads: number
}

export interface Question {
  readonly id: number
  readonly texts: readonly string[]
}

export type Reply =
  | {
      readonly id: number
      readonly vectors: readonly Float32Array[]
      readonly tokens: number
      readonly revision: string
      readonly pooling: Pooling
    }
  | { readonly id: number; readonly code: ErrorCode; readonly details: { readonly [name: string]: unknown } }
