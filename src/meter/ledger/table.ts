import { Binding } from './account.ts'
import { type Budget, SCOPES, type Scope } from './budget.ts'
import { OverriddenLimits, type Override } from './overrides.ts'

/** Who makes a request and what with; each part as far as it is known. */
export interface RequestScopes {
  readonly key?: string
  readonly user?: string
  readonly team?: string
  readonly workflow?: string
  readonly model?: string
  readonly tags?: readonly string[]
  readonly tenant?: string
}

/** What budgets "for each" keep bindings for; beyond it the oldest goes, and is made anew. */
const BINDINGS_MAX = 1_000_000

type NamedScope = Exclude<Scope, 'request' | 'global' | 'tag'>
const NAMED_SCOPES = SCOPES.filter(
  (scope): scope is NamedScope => scope !== 'request' && scope !== 'global' && scope !== 'tag',
)

/** Finds the budgets that bind a request by look-ups alone. Made anew when the budgets change;
 *  accounts outlive it. */
export class BudgetTable {
  readonly #always: Binding[] = []
  /** By scope, then by match. */
  readonly #named = new Map<Scope, Map<string, Binding[]>>()
  readonly #each = new Map<Scope, Budget[]>()
  readonly #made = new Map<string, Binding[]>()

  readonly #limits: OverriddenLimits

  readonly generation: number

  /** The budgets must have passed `checkBudgets`; `inForce`: the overrides that are. A request that
   *  was bound before a change does not undo it where each table has a greater `generation`. */
  constructor(budgets: Iterable<Budget>, inForce: Iterable<Override> = [], generation = 0) {
    this.generation = generation
    const limits = (this.#limits = new OverriddenLimits(inForce))
    for (const budget of budgets) {
      const { scope, match = '' } = budget
      if (scope === 'global' || scope === 'request')
        this.#always.push(new Binding(limits.of(budget, ''), '', generation))
      else if (match === '*') addTo(this.#each, scope, budget)
      else {
        let matches = this.#named.get(scope)
        if (matches === undefined) this.#named.set(scope, (matches = new Map()))
        addTo(matches, match, new Binding(limits.of(budget, match), match, generation))
      }
    }
  }

  /** Every budget that binds the request, each account once. */
  bind(scopes: RequestScopes): Binding[] {
    const found = this.#always.slice()
    for (const scope of NAMED_SCOPES) {
      const subject = scopes[scope]
      if (subject !== undefined) this.#add(found, scope, subject)
    }
    if (scopes.tags !== undefined) for (const tag of new Set(scopes.tags)) this.#add(found, 'tag', tag)
    return found
  }

  /** What has become of a budget, for a subject; undefined where there is no such any more. */
  bindingOf({ id, scope }: Budget, subject: string): Binding | undefined {
    const named = this.#named.get(scope)?.get(subject) ?? this.#always
    const own = named.find(({ budget }) => budget.id === id)
    const each = this.#each.get(scope)?.find((budget) => budget.id === id)
    return own ?? (each && new Binding(this.#limits.of(each, subject), subject, this.generation))
  }

  #add(found: Binding[], scope: Scope, subject: string): void {
    const named = this.#named.get(scope)?.get(subject)
    if (named !== undefined) for (const binding of named) found.push(binding)
    const each = this.#each.get(scope)
    if (each === undefined) return
    const name = `${scope}\0${subject}`
    let made = this.#made.get(name)
    if (made === undefined) {
      made = each.map((budget) => new Binding(this.#limits.of(budget, subject), subject, this.generation))
      this.#made.set(name, made)
      if (this.#made.size > BINDINGS_MAX)
        for (const oldest of this.#made.keys()) {
          this.#made.delete(oldest)
          break
        }
    }
    for (const binding of made) found.push(binding)
  }
}

/** A list begins with the item it is made for: one that is pushed to when empty takes room for 16,
 *  which of a million budgets is 120 MB. */
function addTo<Name, Item>(lists: Map<Name, Item[]>, name: Name, item: Item): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}
