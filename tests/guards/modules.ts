/** The source tree as the guards see it: every file parsed by a real parser, its imports (of
 *  values and of types) resolved. Built from texts, so that a planted violation needs no disk. */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { parseSync } from 'vite'

export const root = dirname(dirname(import.meta.dirname))

/** Texts by path relative to the root, with forward slashes. */
export type Files = ReadonlyMap<string, string>

export interface Import {
  /** As written; undefined when it is computed at run time. */
  readonly specifier: string | undefined
  /** The file it means, for a relative one. */
  readonly target: string | undefined
  readonly line: number
  /** Erased before the program runs. */
  readonly typeOnly: boolean
  /** Started as a program of its own, in a thread. */
  readonly isWorker: boolean
  /** `import()`: loaded when it is needed. */
  readonly isLate: boolean
}

export interface Module {
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly program: Node
  readonly lineOf: (node: Node) => number
}

/** A node of the syntax tree (ESTree with TypeScript's additions). */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const SOURCE_FOLDERS = ['src', 'console', 'sim', 'bench', 'tests', 'scripts', 'bin']
const NOT_SEARCHED = new Set(['node_modules', 'dist', 'dist.next', 'dist.old'])

export function readTree(folders: readonly string[] = SOURCE_FOLDERS): Files {
  const files = new Map<string, string>()
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !NOT_SEARCHED.has(entry.name)) visit(path)
      else if (entry.isFile() && /\.(ts|tsx|js)$/.test(entry.name))
        files.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'))
    }
  }
  for (const folder of folders) visit(join(root, folder))
  return files
}

export function parseTree(files: Files): Module[] {
  return [...files].map(([path, text]) => parseModule(path, text))
}

function parseModule(path: string, text: string): Module {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message ?? ''}`)
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineOf = (node: Node): number => starts.findLastIndex((start) => start <= node.start) + 1
  const tree = program as unknown as Node
  return { path, lines: starts.length, program: tree, lineOf, imports: importsOf(path, tree, lineOf) }
}

function importsOf(path: string, program: Node, lineOf: (node: Node) => number): Import[] {
  const imports: Import[] = []
  walk(program, (node) => {
    const source = sourceOf(node)
    if (source === undefined) return
    const specifier = source.type === 'Literal' && typeof source['value'] === 'string' ? source['value'] : undefined
    imports.push({
      specifier,
      target: resolveImport(path, specifier),
      line: lineOf(node),
      typeOnly: isTypeOnly(node),
      isWorker: node.type === 'NewExpression',
      isLate: node.type === 'ImportExpression',
    })
  })
  return imports
}

/** What a node loads: a declaration's source, `import()`, the type `import('x').T`, or a worker's
 *  `new URL('./x.ts', import.meta.url)`. */
function sourceOf(node: Node): Node | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return node['source'] as Node
    case 'ExportNamedDeclaration':
      return (node['source'] as Node | null) ?? undefined
    case 'NewExpression': {
      const [argument] = node['arguments'] as Node[]
      // `isCompiled ? './worker.js' : './worker.ts'` names the source in one of its branches.
      const candidates =
        argument?.type === 'ConditionalExpression' ? [argument['consequent'], argument['alternate']] : [argument]
      const isUrl = (node['callee'] as Node)['name'] === 'URL'
      return isUrl
        ? (candidates as (Node | undefined)[]).find((one) => /^\.\.?\/.*\.ts$/.test(String(one?.['value'])))
        : undefined
    }
    default:
      return undefined
  }
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType') return true
  if (node['importKind'] === 'type' || node['exportKind'] === 'type') return true
  const specifiers = (node['specifiers'] as Node[] | undefined) ?? []
  return (
    specifiers.length > 0 && specifiers.every((one) => one['importKind'] === 'type' || one['exportKind'] === 'type')
  )
}

function resolveImport(from: string, specifier: string | undefined): string | undefined {
  if (specifier === undefined || !/^\.\.?\//.test(specifier)) return undefined
  return posix.join(posix.dirname(from), specifier.replace(/[?#].*$/, ''))
}

/** Visits every node, parents first. `visit` may return false to leave out what lies below. */
export function walk(
  node: Node,
  visit: (node: Node, parent: Node | undefined, field: string) => boolean | void,
  parent?: Node,
  field = '',
): void {
  if (visit(node, parent, field) === false) return
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit, node, name)
  }
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

/** Files that check or measure, rather than run in the product. */
export const isTest = (path: string): boolean => /\.(test|bench|fuzz)\.ts$/.test(path)

/** Suites that every driver of a port runs, and what they share. */
export const isContract = (path: string): boolean => path.includes('/contract/')
