/** The order of the rooms: each imports only from those below it, trades never from one another,
 *  and drivers are named by `main.ts` and `src/house`, the simulator and tests alone. Types count like values. */
import { isContract, isTest, type Module } from './modules.ts'

/** From the ground up. Rooms on one floor never import one another. */
const FLOORS = [
  ['base'],
  ['config'],
  ['store'],
  ['trace'],
  ['guard'],
  ['files'],
  ['meter', 'prompt'],
  ['engine'],
  ['parse'],
  ['retrieval', 'serving', 'evaluation', 'dataset', 'training', 'release', 'fleet', 'batch'],
  ['gateway'],
  ['control'],
  ['cli'],
  ['house'],
  ['main.ts'],
]

/** Where the parts are put together: the only rooms that name both ports and drivers. */
const COMPOSITION_ROOMS = new Set(['house', 'main.ts'])

/** The rooms whose ports drivers implement. */
const PORT_ROOMS = new Set(['store', 'engine', 'meter', 'trace', 'config', 'base'])
/** Rooms that drivers may know by type only: the shapes of documents and passages. */
const TYPE_ROOMS = new Set(['retrieval', 'parse'])

interface Place {
  /** `src`, `console`, `sim` ... */
  readonly top: string
  /** Under src: the room; under src/drivers: the technology. */
  readonly room: string
  readonly isDriver: boolean
}

function placeOf(path: string): Place {
  const [top = '', room = '', technology = ''] = path.split('/')
  if (top === 'src' && room === 'drivers') return { top, room: technology, isDriver: true }
  return { top, room, isDriver: false }
}

const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room))

/** Names of packages, by what package.json says of them. */
export interface Packages {
  readonly present: ReadonlySet<string>
  readonly optional: ReadonlySet<string>
  readonly development: ReadonlySet<string>
}

export function checkFloorPlan(modules: readonly Module[], packages: Packages): string[] {
  const paths = new Set(modules.map((module) => module.path))
  const found: string[] = []
  for (const module of modules) {
    const from = placeOf(module.path)
    if (from.top === 'src' && !from.isDriver && floorOf(from.room) === -1)
      found.push(`${module.path}: src/${from.room} is not a room of the floor plan`)
    for (const { specifier, target, line, typeOnly, isLate } of module.imports) {
      const complain = (what: string): void => void found.push(`${module.path}:${line}: ${what}`)
      if (specifier === undefined) {
        if (from.top === 'src') complain('imports something computed at run time, which no guard can follow')
      } else if (target === undefined) {
        if (from.top === 'src' && !isTest(module.path) && !isContract(module.path))
          checkPackage(specifier, { typeOnly, isLate }, packages, complain)
      } else if (/\.[jt]sx?$/.test(target)) {
        if (!paths.has(target)) complain(`imports ${specifier}, which does not exist (imports end in .ts)`)
        else checkEdge(module.path, target, typeOnly, complain)
      }
    }
  }
  return found
}

/** Types of any package may be used, since they are erased; of what may be absent nothing is loaded
 *  before it is needed. */
function checkPackage(
  specifier: string,
  { typeOnly, isLate }: { readonly typeOnly: boolean; readonly isLate: boolean },
  { present, optional, development }: Packages,
  complain: (what: string) => void,
): void {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (name.startsWith('node:') || present.has(name) || (typeOnly && (optional.has(name) || development.has(name))))
    return
  if (!optional.has(name)) complain(`imports ${specifier}, which is not among the dependencies`)
  else if (!isLate) complain(`imports ${specifier} at the start, and it may be absent`)
}

function checkEdge(path: string, target: string, typeOnly: boolean, complain: (what: string) => void): void {
  const from = placeOf(path)
  const to = placeOf(target)
  if (isTest(target)) complain(`imports the test ${target}`)
  if (isContract(target) && !isTest(path) && !isContract(path) && from.top !== 'tests')
    complain(`imports ${target}, which only tests may`)
  if (from.top === 'console' && to.top !== 'console' && to.room !== 'base')
    complain(`the console imports ${target}; it may know src/base only`)
  if (from.top !== 'src' || isTest(path)) return
  if (to.top !== 'src') return complain(`imports ${target}, outside src`)
  if (from.isDriver) return checkDriver(from, to, target, typeOnly, complain)
  if (to.isDriver) {
    if (!COMPOSITION_ROOMS.has(from.room))
      complain(`imports the driver ${target}; only main.ts, src/house, sim and tests name drivers`)
    return
  }
  if (from.room === to.room) return
  if (floorOf(to.room) === floorOf(from.room)) complain(`${from.room} imports sideways from ${target}`)
  else if (floorOf(to.room) > floorOf(from.room)) complain(`${from.room} imports upwards from ${target}`)
}

function checkDriver(
  from: Place,
  to: Place,
  target: string,
  typeOnly: boolean,
  complain: (what: string) => void,
): void {
  if (to.isDriver) {
    if (to.room !== from.room) complain(`the driver ${from.room} imports the driver ${target}`)
  } else if (TYPE_ROOMS.has(to.room)) {
    if (!typeOnly) complain(`the driver ${from.room} imports values from ${target}; only its types`)
  } else if (!PORT_ROOMS.has(to.room)) {
    complain(`the driver ${from.room} imports ${target}, which is no port`)
  }
}
