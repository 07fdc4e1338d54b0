import { useEffect, useEffectEvent } from 'react'

/** Keys that act from anywhere on the page. Plain characters are left to whoever is typing, and
 *  everything to an open dialog. */
export function useKeys(actions: { readonly [key: string]: (event: KeyboardEvent) => void }): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (document.querySelector('dialog[open]') !== null) return
    const isTyping =
      event.target instanceof Element &&
      event.target.matches('input:not([type=radio]), textarea, select, [contenteditable]')
    if (isTyping && event.key.length === 1) return
    actions[event.key]?.(event)
  })
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event)
    addEventListener('keydown', listener)
    return () => removeEventListener('keydown', listener)
  }, [])
}
