import { useMemo } from 'react'
import { openKeys } from '../api/keys.ts'
import { useAccess } from './access.ts'
import { useLoad } from './load.ts'

/** What counts for a key counts under its id; people know it by its name. Of one that is not among
 *  the first thousand the id is the name. */
export function useKeyNames(): (id: string) => string {
  const { send } = useAccess()
  const [names] = useLoad('keys', () => openKeys(send).list())
  const byId = useMemo(
    () => new Map(names.state === 'ready' ? names.value.items.map(({ id, name }) => [id, name]) : []),
    [names],
  )
  return (id) => byId.get(id) ?? id
}
