/** Runs a tool of the project, on its tree or on a planted one. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './modules.ts'

const TOOL_MS_MAX = 110_000

export interface Outcome {
  readonly status: number | null
  /** Standard output and error together, without colour. */
  readonly output: string
}

/** `tool` is a path under node_modules, run by this Node. */
export function runTool(tool: string, parameters: readonly string[], folder: string = root): Outcome {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', tool), ...parameters],
    {
      cwd: folder,
      encoding: 'utf8',
      timeout: TOOL_MS_MAX,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, NODE_TEST_CONTEXT: undefined },
    },
  )
  if (error !== undefined) throw error
  return { status, output: `${stdout}${stderr}`.trim() }
}

/** Writes a small tree, lets `use` look at it, and removes it. It sees the project's packages. */
export function inTree<Value>(files: { readonly [path: string]: string }, use: (folder: string) => Value): Value {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-guard-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
