// Light or dark, before anything is drawn: what was chosen on this machine, or what the system has.

try {
  const chosen = localStorage.getItem("chatlog.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing.
}
