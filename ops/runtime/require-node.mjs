// Stops with the remedy when an older Node runs: the sources are TypeScript that Node 24 executes as it is.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `Lastmile runs on Node 24; this is Node ${process.versions.node}.\n` +
      'npm installs Node 24 beside the project: run the commands as `npm start`, `npm test`, `npm run …`.\n' +
      'If this is such a run, its install script was not allowed: run `npm ci` again, and look at `npm install-scripts ls`.',
  );
  process.exit(1);
}
