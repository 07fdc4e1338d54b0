import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

/** Makes WebAssembly of the text beside it: the source and what is run lie next to one another. */

const SOURCE = fileURLToPath(new URL('../src/drivers/filesystem/compared-rows.wat', import.meta.url))

/** Of the kernel that multiplies rows. */
export async function assemble(): Promise<Uint8Array> {
  const { parseWat } = await wabt()
  const module = parseWat(SOURCE, readFileSync(SOURCE, 'utf8'), { simd: true })
  try {
    module.validate()
    return module.toBinary({}).buffer
  } finally {
    module.destroy()
  }
}
