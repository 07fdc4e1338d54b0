/** The shape of the house: no room takes more than a quarter of it, no file only passes on what
 *  others define, no folder is a drawer for odds and ends. Sizes are told, not enforced. */
import { isContract, isTest, walk, type Module, type Node } from './modules.ts'

const ROOM_SHARE_MAX = 0.25
const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

const isProduct = ({ path }: Module): boolean => path.startsWith('src/') && !isTest(path) && !isContract(path)

/** Each technology under src/drivers is a room of its own. */
const roomOf = (path: string): string => path.split('/', path.startsWith('src/drivers/') ? 3 : 2).join('/')

export function checkRoomShares(modules: readonly Module[]): string[] {
  const product = modules.filter(isProduct)
  const total = product.reduce((sum, { lines }) => sum + lines, 0)
  const rooms = Map.groupBy(product, ({ path }) => roomOf(path))
  return [...rooms].flatMap(([room, members]) => {
    const lines = members.reduce((sum, member) => sum + member.lines, 0)
    return lines > total * ROOM_SHARE_MAX ? [`${room} has ${lines} of ${total} lines, more than a quarter`] : []
  })
}

/** Re-exports: imports go to the file that defines the name. */
export function checkBarrels(modules: readonly Module[]): string[] {
  return modules.flatMap(({ path, program, lineOf }) => {
    const body = program['body'] as Node[]
    return body
      .filter((node) => node.type.startsWith('Export') && node['source'] != null)
      .map((node) => `${path}:${lineOf(node)}: re-exports; import from the file that defines the name`)
  })
}

const DRAWERS = /(^|\/)(utils?|types|shared|common|helpers?|misc)(\.tsx?|\/)/

export function checkDrawers(paths: Iterable<string>): string[] {
  return [...paths].filter((path) => DRAWERS.test(path)).map((path) => `${path}: name it after what it holds`)
}

/** Files and functions so long that they may hold two ideas. */
export function findLong(modules: readonly Module[]): string[] {
  return modules.flatMap((module) => {
    const long = module.lines > FILE_LINES_MAX ? [`${module.path}: ${module.lines} lines`] : []
    walk(module.program, (node) => {
      if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return
      if (isTest(module.path)) return // A suite is a list.
      const first = module.lineOf(node)
      const lines = module.lineOf({ type: '', start: node.end, end: node.end }) - first + 1
      if (lines > FUNCTION_LINES_MAX) long.push(`${module.path}:${first}: a function of ${lines} lines`)
    })
    return long
  })
}

/** State of a whole module, which no test can have twice and no simulation can reset. */
export function checkModuleState(modules: readonly Module[]): string[] {
  return modules.filter(isProduct).flatMap(({ path, program, lineOf }) => {
    const declarations = (program['body'] as Node[]).map((node) =>
      node.type === 'ExportNamedDeclaration' ? ((node['declaration'] as Node | null) ?? node) : node,
    )
    const changing = declarations.filter((node) => node.type === 'VariableDeclaration' && node['kind'] !== 'const')
    return changing.map((node) => `${path}:${lineOf(node)}: state of the module; make it a field`)
  })
}
