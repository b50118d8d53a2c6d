Feature: The settings of the file are applied
  Every documented setting does what it says, on the router's clock. What a provider cannot apply is told when the file is read. The table of all is in
  docs/router-configuration.md.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"

  Scenario: PollingPeriod is from one run to the next
    Given the file has a feed "news" for "Ada" with PollingPeriod=25000
    And the router ran
    When the router runs again after 24 seconds
    Then the feed "news" ran 1 time
    When the router runs again after 1 second
    Then the feed "news" ran 2 times

  Scenario: PendingStatusDelay is before the next try of an email
    Given the file has an smtp provider "relay" for "Ada" with PendingStatusDelay=900000
    And the server does not take mail for the moment
    And "Ada" wrote 1 emails to "carl@birch.test"
    When the router runs
    Then the email "Ada 1" of "Ada" waits 900 seconds for its next try

  Scenario: LogLevel 1 traces errors
    Given the file has a feed "news" for "Ada"
    And the file's "LogLevel" is "1"
    And the file's "LogFile" is "trace.log"
    And the feed "news" cannot be reached
    When the router runs
    Then the trace file "trace.log" holds "run.failed"

  Scenario: LogLevel 1 does not trace what goes well
    Given the file has a feed "news" for "Ada"
    And the file's "LogLevel" is "1"
    And the file's "LogFile" is "trace.log"
    When the router runs
    Then the trace file "trace.log" does not hold "run.ended"

  Scenario: A setting that changes counts at once
    Given the file has a feed "news" for "Ada"
    And the router ran
    When the file's "LogLevel" becomes "2"
    And the file's "LogFile" becomes "trace.log"
    And the file is saved
    And the router runs again after 1 minute
    Then the trace file "trace.log" holds "run.ended"

  Scenario: What a provider cannot apply is told
    Given the file has the provider "pop3" for "Ada" with MoveEmails=true
    When the router runs
    Then the router told "router.file_warning" 1 time
