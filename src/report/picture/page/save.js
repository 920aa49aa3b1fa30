// The button that saves the copy of the run inside of the page: gzip in base64 in #run-json.
document.addEventListener('click', async event => {
  const name = event.target.closest?.('[data-save]')?.dataset.save;
  if (!name) return;
  const bytes = Uint8Array.from(atob(document.getElementById('run-json').textContent), c => c.charCodeAt(0));
  const run = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')));
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(await run.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
});
