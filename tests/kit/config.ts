import assert from 'node:assert/strict'
import { Refusal, sentenceOf } from '../../src/base/errors.ts'
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts'
import { pathText, type ConfigProblem } from '../../src/config/problem.ts'

/** The configuration of a folder `/house`, for tests. */

type Files = { readonly [path: string]: string | Uint8Array }

export function load(
  yaml: string | Uint8Array | undefined,
  env: { readonly [name: string]: string } = {},
  files: Files = {},
) {
  const all: Files = { ...(yaml === undefined ? {} : { '/house/headworks.yaml': yaml }), ...files }
  const readFile = async (path: string) => {
    const found = all[path]
    return typeof found === 'string' ? new TextEncoder().encode(found) : found
  }
  return loadConfig({ readFile, env, cwd: '/house', docsFolder: '/app/docs' })
}

export async function loaded(yaml: string | undefined, env = {}, files: Files = {}): Promise<LoadedConfig> {
  const result = await load(yaml, env, files)
  if (result instanceof Refusal) assert.fail(sentenceOf(result))
  return result
}

/** The problems as `line:column path = value wrong`. */
export async function problemsOf(
  yaml: string | Uint8Array | undefined,
  env = {},
  files: Files = {},
): Promise<string[]> {
  const result = await load(yaml, env, files)
  assert(result instanceof Refusal, 'accepted')
  assert.equal(result.code, 'config_invalid')
  const list = result.details['list'] as ConfigProblem[]
  for (const { wrong, remedy } of list) assert(wrong.length > 5 && remedy.length > 8)
  return list.map(
    ({ place, path, value, wrong, remedy }) =>
      `${place === undefined ? '-' : `${place.line}:${place.column}`} ${pathText(path)}${value === undefined ? '' : ` = ${value}`} ${wrong} | ${remedy}`,
  )
}

/** Each line fits its pattern, and there are as many. */
export const matches = (lines: readonly string[], ...patterns: readonly RegExp[]): void => {
  assert.equal(lines.length, patterns.length, lines.join('\n'))
  for (const [at, pattern] of patterns.entries()) assert.match(lines[at] ?? '', pattern)
}
