import { COMPARED_ROWS_WASM } from './compared-rows-wasm.ts'

/** compared-rows.wat, with memory of its own. */
export interface Kernel {
  readonly memory: ArrayBuffer
  /** As the source says it. */
  readonly multiply: (query: number, rows: number, width: number, count: number, products: number) => void
}

const PAGE_BYTES = 65_536

export function openKernel(bytes: number): Kernel {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) })
  const module = new WebAssembly.Module(Buffer.from(COMPARED_ROWS_WASM, 'base64'))
  const { exports } = new WebAssembly.Instance(module, { rows: { memory } })
  return { memory: memory.buffer, multiply: exports.multiply }
}

/** As much of it as is used here: only the types of browsers have it. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly multiply: Kernel['multiply'] } }
}
