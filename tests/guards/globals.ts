/** Clock, chance, network and disk are arguments. Only drivers, `src/base`, and `src/main.ts` with
 *  `src/house`, which put the parts together, may reach for the real ones, so that everything else
 *  runs under the simulator. */
import { isContract, isTest, walk, type Module, type Node } from './modules.ts'

const FORBIDDEN_GLOBALS = new Map([
  ['setTimeout', 'take a Clock'],
  ['setInterval', 'take a Clock'],
  ['setImmediate', 'take a Clock'],
  ['performance', 'take a Clock'],
  ['fetch', 'take an HttpClient'],
  ['WebSocket', 'take an HttpClient'],
  ['EventSource', 'take an HttpClient'],
  ['XMLHttpRequest', 'take an HttpClient'],
  ['crypto', 'take a Random'],
  ['console', 'take a Log'],
  ['globalThis', 'name what you need as an argument'],
  ['require', 'import it'],
])

const FORBIDDEN_MEMBERS = new Map([
  ['Date.now', 'take a Clock'],
  ['Math.random', 'take a Random'],
  ['AbortSignal.timeout', 'take a Clock'],
  ['process.env', 'take the environment as an argument'],
  ['process.hrtime', 'take a Clock'],
  ['process.uptime', 'take a Clock'],
  ['process.exit', 'return or throw; main.ts ends the process'],
  ['process.on', 'main.ts listens for signals'],
])

const FORBIDDEN_MODULES =
  /^node:(fs|fs\/promises|net|tls|http|https|http2|dgram|dns|dns\/promises|child_process|worker_threads|cluster|timers|timers\/promises|perf_hooks|sqlite|inspector)$/
const FORBIDDEN_PACKAGES = new Set(['undici'])
/** Chance hides among honest hashes. */
const FORBIDDEN_NAMES = new Map([['node:crypto', /^(random|webcrypto|getRandom|generateKey|generatePrime)/]])

/** The command line speaks to a person. */
const mayPrint = (path: string): boolean => path.startsWith('src/cli/')

function isChecked(path: string): boolean {
  if (isTest(path) || isContract(path)) return false
  return path.startsWith('src/') && !/^src\/(drivers|base|house)\//.test(path) && path !== 'src/main.ts'
}

/** The simulator owns time and chance; its entry may look at the real clock to say how long it took. */
const isSimulated = (path: string): boolean =>
  path.startsWith('sim/') && !isTest(path) && !/^sim\/(ledger\/)?run\.ts$/.test(path)
const FORBIDDEN_IN_SIM = new Set([
  'setTimeout',
  'setInterval',
  'performance',
  'crypto',
  'Date.now',
  'Math.random',
  'new Date()',
  'AbortSignal.timeout',
])

export function checkGlobals(modules: readonly Module[]): string[] {
  return modules.flatMap((module) => {
    if (isChecked(module.path)) return [...checkImports(module), ...checkReferences(module, () => true)]
    if (isSimulated(module.path)) return checkReferences(module, (name) => FORBIDDEN_IN_SIM.has(name))
    return []
  })
}

function checkImports({ path, program, lineOf, imports }: Module): string[] {
  const whole = imports.filter(
    ({ specifier = '', typeOnly }) =>
      !typeOnly && (FORBIDDEN_MODULES.test(specifier) || FORBIDDEN_PACKAGES.has(specifier.split('/')[0] ?? '')),
  )
  const found = whole.map(
    ({ specifier, line }) =>
      `${path}:${line}: ${specifier}: only drivers, src/base, src/house and main.ts reach for it`,
  )
  walk(program, (node) => {
    if (node.type !== 'ImportDeclaration') return
    const pattern = FORBIDDEN_NAMES.get(String((node['source'] as Node)['value']))
    if (pattern === undefined) return
    for (const one of node['specifiers'] as Node[]) {
      const name = (one['imported'] as Node | undefined)?.['name']
      if (name === undefined || pattern.test(String(name)))
        found.push(`${path}:${lineOf(one)}: ${String(name ?? 'all of it')}: take a Random; import hashes by name`)
    }
  })
  return found
}

function checkReferences({ path, program, lineOf }: Module, isForbidden: (name: string) => boolean): string[] {
  const declared = declaredNames(program)
  const found: string[] = []
  const complain = (node: Node, name: string, remedy: string): void => {
    if (isForbidden(name)) found.push(`${path}:${lineOf(node)}: ${name}: ${remedy}`)
  }
  walk(program, (node, parent, field) => {
    if (isTypeNode(node)) return false
    if (node.type === 'MemberExpression') {
      const member = memberName(node)
      const remedy = FORBIDDEN_MEMBERS.get(member)
      if (remedy !== undefined && !declared.has(member.split('.')[0] ?? '')) complain(node, member, remedy)
    } else if (node.type === 'NewExpression' || node.type === 'CallExpression') {
      const isDate = (node['callee'] as Node)['name'] === 'Date' && !declared.has('Date')
      if (isDate && (node.type === 'CallExpression' || (node['arguments'] as Node[]).length === 0))
        complain(node, 'new Date()', 'take a Clock')
    } else if (node.type === 'Identifier' && isReference(parent, field)) {
      const name = String(node['name'])
      const remedy = FORBIDDEN_GLOBALS.get(name)
      if (remedy !== undefined && !declared.has(name) && !(name === 'console' && mayPrint(path)))
        complain(node, name, remedy)
    }
    return true
  })
  return found
}

/** `a.b` and `a['b']`; '' for anything else. */
function memberName(node: Node): string {
  const object = (node['object'] as Node)['name']
  const property = node['property'] as Node
  const name = node['computed'] === true ? property['value'] : property['name']
  return typeof object === 'string' && typeof name === 'string' ? `${object}.${name}` : ''
}

/** TypeScript's nodes hold no running code, save for the assertions around an expression. */
const isTypeNode = (node: Node): boolean =>
  node.type.startsWith('TS') &&
  !/^TS(AsExpression|NonNullExpression|SatisfiesExpression|TypeAssertion|InstantiationExpression)$/.test(node.type)

/** Whether an identifier there means a variable, rather than names a property or declares one. */
function isReference(parent: Node | undefined, field: string): boolean {
  if (parent === undefined) return true
  if (parent.type === 'MemberExpression') return field === 'object' || parent['computed'] === true
  if (/^(Property|PropertyDefinition|MethodDefinition|AccessorProperty)$/.test(parent.type))
    return field === 'value' || parent['computed'] === true
  return !/^(ImportSpecifier|ExportSpecifier|LabeledStatement|BreakStatement|ContinueStatement|MetaProperty)$/.test(
    parent.type,
  )
}

/** Every name that the file gives to something of its own, in any scope. */
function declaredNames(program: Node): ReadonlySet<string> {
  const names = new Set<string>()
  const declare = (pattern: Node | null | undefined): void => {
    if (pattern == null) return
    if (pattern.type === 'Identifier') names.add(String(pattern['name']))
    else if (pattern.type === 'ObjectPattern')
      for (const property of pattern['properties'] as Node[])
        declare((property['value'] ?? property['argument']) as Node)
    else if (pattern.type === 'ArrayPattern')
      for (const element of pattern['elements'] as (Node | null)[]) declare(element)
    else declare((pattern['left'] ?? pattern['argument'] ?? pattern['parameter']) as Node | undefined)
  }
  walk(program, (node) => {
    if (node.type === 'VariableDeclarator') declare(node['id'] as Node)
    else if (/^(Function|ArrowFunction|Class)/.test(node.type)) {
      declare(node['id'] as Node | undefined)
      for (const parameter of (node['params'] as Node[] | undefined) ?? []) declare(parameter)
    } else if (/^Import.*Specifier$/.test(node.type)) declare(node['local'] as Node)
    else if (node.type === 'CatchClause') declare(node['param'] as Node | null)
  })
  return names
}
