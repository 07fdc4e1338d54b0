import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { systemClock as clock } from '../base/clock.ts'
import { Fault, fault, reasonOf, Refusal, sentenceOf } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import { LABEL_NAME, LATEST, PROMPT_NAME, Prompts, readReference } from '../prompt/prompts.ts'
import type { Config } from '../config/schema.ts'
import type { Rows } from '../store/rows.ts'
import { readTemplate, render } from '../prompt/template.ts'

/** The system messages of a prompt, for a workflow. Its variables must all have defaults: a workflow has none
 *  to give. Rejects with a `Fault`. */
export async function instructionsOf(
  prompts: Pick<Prompts, 'resolve'>,
  named: string,
): Promise<{ instructions: string; prompt: string }> {
  const reference = readReference(named)
  if (reference === undefined) throw fault('not_found', { what: 'prompt', id: named })
  const found = await prompts.resolve(reference)
  if (found instanceof Refusal) throw new Fault(found.code, found.details)
  const said = render(found.template, {})
  if (said instanceof Refusal) throw new Fault(said.code, said.details)
  const system = said.filter(({ role }) => role === 'system' || role === 'developer')
  return { instructions: system.map(({ content }) => content).join('\n\n'), prompt: `${found.name}@${found.version}` }
}

const FILES_MAX = 1_000
const FILE_BYTES_MAX = 1024 * 1024

export interface PromptFiles {
  /** Names of the files in a folder. */
  readonly list: (folder: string) => Promise<readonly string[]>
  readonly read: (path: string) => Promise<Uint8Array>
}

/** Files of the configured folder become versions. */
export async function takePrompts({ folder }: Config['prompts'], rows: Rows, log: Log): Promise<void> {
  if (folder === undefined) return
  const files = { list: (path: string) => readdir(path), read: (path: string) => readFile(path) }
  await readPromptFolder(folder, { prompts: new Prompts({ rows, clock }), files, log })
}

/** Takes the files of a folder as versions. What cannot be read is logged and passed over, so that one file
 *  does not hold up the others. Labels that a file lists are turned to its version. */
export async function readPromptFolder(
  folder: string,
  { prompts, files, log }: { readonly prompts: Prompts; readonly files: PromptFiles; readonly log: Log },
): Promise<void> {
  const names = await files.list(folder).catch((thrown: unknown) => {
    log.write('warn', 'the folder of prompts cannot be read', { folder, reason: reasonOf(thrown) })
    return []
  })
  for (const file of names.filter((name) => /\.(?:ya?ml|md)$/.test(name)).slice(0, FILES_MAX)) {
    const problem = await take(join(folder, file), file.replace(/\.[a-z]+$/, ''))
    if (problem !== undefined) log.write('warn', 'a prompt was not taken', { file, reason: problem })
  }

  async function take(path: string, name: string): Promise<string | undefined> {
    if (!PROMPT_NAME.test(name)) return 'its name is none of a prompt'
    const bytes = await files.read(path)
    if (bytes.length > FILE_BYTES_MAX) return `it is larger than ${FILE_BYTES_MAX} bytes`
    const body = contentOf(path, Buffer.from(bytes).toString('utf8'))
    if (typeof body === 'string') return body
    const template = readTemplate(body)
    if (template instanceof Refusal) return sentenceOf(template)
    const by = `file ${name}`
    const made = await prompts.create(name, template, {
      by,
      note: typeof body['note'] === 'string' ? body['note'] : '',
    })
    if (made instanceof Refusal) return sentenceOf(made)
    const labels: readonly Json[] = Array.isArray(body['labels']) ? (body['labels'] as readonly Json[]) : []
    for (const label of labels) {
      if (typeof label !== 'string' || !LABEL_NAME.test(label) || label === LATEST) return 'one of its labels is none'
      const now = await prompts.resolve({ name, at: label })
      if (!(now instanceof Refusal) && now.version === made.version) continue
      const turned = await prompts.turn(name, label, made.version, { by, reason: 'as its file says' })
      if (turned instanceof Refusal) return sentenceOf(turned)
    }
    return undefined
  }
}

function contentOf(path: string, text: string): JsonObject | string {
  if (path.endsWith('.md')) return { messages: [{ role: 'system', content: text.trim() }], labels: [] }
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 10 })
  } catch (thrown) {
    return `it is no YAML: ${reasonOf(thrown).slice(0, 200)}`
  }
  return isObject(value) ? value : 'it is no mapping'
}
