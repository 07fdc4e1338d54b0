/** A gate in its frame, the water higher on one side: what a headworks is. */
export function Brand() {
  return (
    <span className="brand">
      <svg
        width="22"
        height="22"
        viewBox="0 0 32 32"
        fill="none"
        strokeWidth="2.4"
        strokeLinecap="square"
        aria-hidden="true"
      >
        <path className="brand-frame" d="M9 28V5h14v23" />
        <path className="brand-gate" d="M11.5 8h9v9h-9z" />
        <path className="brand-water" d="M3 13h3M3 18h3M13 24h6M26 24h3" />
      </svg>
      Headworks
    </span>
  )
}
