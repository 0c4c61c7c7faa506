// The scheme: the system's, or the one that was chosen here. A classic script in the head, so that the
// chosen one holds before anything is painted. The choice is the only thing this page ever stores.
(() => {
  const KEY = "hip3.theme";
  const CHOICES = ["auto", "light", "dark"];
  let choice = "auto";
  try {
    const kept = localStorage.getItem(KEY);
    if (CHOICES.includes(kept)) choice = kept;
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }

  function apply() {
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
  }

  apply();

  globalThis.hip3Theme = {
    current: () => choice,
    next() {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      apply();
      try {
        localStorage.setItem(KEY, choice);
      } catch {
        // As above.
      }
      return choice;
    },
  };
})();
