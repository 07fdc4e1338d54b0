import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { assemble } from './assemble.ts'

/** `npm run wasm`, after a change of compared-rows.wat. */
const TARGET = fileURLToPath(new URL('../src/drivers/filesystem/compared-rows-wasm.ts', import.meta.url))

const text = Buffer.from(await assemble()).toString('base64')
const lines = text.match(/.{1,110}/g) ?? []
writeFileSync(
  TARGET,
  `/** Made of compared-rows.wat by \`npm run wasm\`, in base 64. */
export const COMPARED_ROWS_WASM =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`,
)
