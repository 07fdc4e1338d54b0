import { Refusal } from '../base/errors.ts'
import { editorSchema } from '../config/fields.ts'
import { pathText, type ConfigProblem } from '../config/problem.ts'
import { toDocument, toYaml } from '../config/show.ts'
import type { Input, Run } from './command.ts'
import { declinedBy, printJson, report } from './declined.ts'
import { styleFor } from './style.ts'
import type { Json } from '../base/json.ts'

type Plain = Input<readonly [], Record<never, never>>

export const check: Run<Plain> = async ({ json }, context) => {
  const loaded = await context.loadConfig()
  if (loaded instanceof Refusal) {
    if (!json) return report(context, declinedBy(loaded), false)
    printJson(context, {
      valid: false,
      file: String(loaded.details['file']),
      problems: (loaded.details['list'] as readonly ConfigProblem[]).map(problemJson),
    })
    return declinedBy(loaded).exit
  }
  const { config, file, fileFound } = loaded
  if (json) {
    printJson(context, { valid: true, file: fileFound ? file : null, problems: [] })
    return 0
  }
  const counts = (['engines', 'models', 'collections', 'workflows'] as const).map(
    (section) => `${Object.keys(config[section]).length} ${section}`,
  )
  const from = fileFound ? file : `there is no ${file}: the defaults are in force`
  context.stdout.write(
    `${styleFor(context.stdout, context.env).good('✓')} The configuration is valid: ${counts.join(', ')}.\n  ${from}\n`,
  )
  return 0
}

export const show: Run<Plain> = async ({ json }, context) => {
  const loaded = await context.loadConfig()
  if (loaded instanceof Refusal) return report(context, declinedBy(loaded), json)
  if (json) printJson(context, toDocument(loaded.config) as { readonly [name: string]: Json })
  else context.stdout.write(toYaml(loaded.config))
  return 0
}

export const schema: Run<Plain> = async (_, context) => {
  context.stdout.write(editorSchema())
  return 0
}

const problemJson = ({ path, place, value, wrong, remedy }: ConfigProblem): Json => ({
  path: pathText(path),
  line: place?.line ?? null,
  column: place?.column ?? null,
  value: value ?? null,
  wrong,
  remedy,
})
